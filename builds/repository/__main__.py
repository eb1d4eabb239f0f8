import sys

from builds.repository.cli import main

sys.exit(main())
