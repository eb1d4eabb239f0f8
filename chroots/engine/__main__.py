"""`python -m chroots.engine`."""

import sys

from chroots.engine.cli import main

sys.exit(main())
