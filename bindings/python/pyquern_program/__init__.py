"""The quern program, which came in the wheel. Apart from pyquern, since that takes numpy's 0.1 s to import."""
import os
import sys

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "quern")


def main():
    """Becomes the program, with this process's arguments."""
    try:
        os.execv(PATH, ["quern", *sys.argv[1:]])
    except OSError as e:
        sys.exit(f"quern: {PATH}: {e.strerror}; install the wheel of pyquern for this machine")
