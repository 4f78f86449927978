"""python -m pyquern: the quern program."""
from pyquern_program import main

main()
