"""Python reads this first under libfaketime, whose clock_nanosleep() takes the end of a sleep for the past."""

from __future__ import annotations

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex) -> None:
    select.select([], [], [], float(seconds))


time.sleep = sleep
