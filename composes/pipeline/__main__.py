"""`python -m composes.pipeline`"""

import sys

from composes.pipeline.cli import main

sys.exit(main())
