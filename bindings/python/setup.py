"""pyproject.toml says the rest. A wheel holds a compiled library, but nothing that depends on Python's version."""
import os

from setuptools import Distribution, setup

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel


class Platform(Distribution):
    def has_ext_modules(self):
        return True


class AnyPython(bdist_wheel):
    def get_tag(self):
        return "py3", "none", os.environ.get("PYQUERN_PLATFORM") or super().get_tag()[2]


setup(distclass=Platform, cmdclass={"bdist_wheel": AnyPython})
