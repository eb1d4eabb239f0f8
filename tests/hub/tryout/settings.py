"""The settings of the application, and the app that only tests know."""

from debatomic.settings import *  # noqa: F403
from debatomic.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.hub.tryout"]
