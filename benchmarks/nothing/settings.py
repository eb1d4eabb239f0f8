"""The settings of DebAtomic with one app more."""

from debatomic.settings import *  # noqa: F403
from debatomic.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.nothing"]
