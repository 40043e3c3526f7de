"""`python -m maskdet_utils` is `maskdet`."""

import sys

from .cli import main

sys.exit(main())
