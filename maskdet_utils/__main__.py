"""Run the command `maskdet` as `python -m maskdet_utils`."""

import sys

from .cli import main

sys.exit(main())
