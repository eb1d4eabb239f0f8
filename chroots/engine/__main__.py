"""`python -m chroots.engine`."""

import sys

from chroots.engine.commands.main import main

sys.exit(main())
