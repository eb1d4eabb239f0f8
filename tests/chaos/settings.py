"""The settings of the application, and the method that only this program knows."""

from debatomic.settings import *  # noqa: F403
from debatomic.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos"]
