"""``python -m nutslite``: the same as the command ``nutslite``."""

import sys

from nutslite.cli import main

if __name__ == "__main__":
    sys.exit(main())
