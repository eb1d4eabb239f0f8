import sys

from builds.attesting.cli import main

sys.exit(main())
