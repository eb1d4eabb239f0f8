"""`python -m debatomic.client`."""

import sys

from debatomic.client.cli import main

sys.exit(main())
