"""`python -m chroots.engine`."""

import os
import sys

from chroots.engine.commands.main import main

NOBODY_READS = 141  # 128 + SIGPIPE, as programs end whose output is piped to `head`
try:
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
except BrokenPipeError:
    status = NOBODY_READS
os._exit(status)  # taking every module down in order takes 20 ms
