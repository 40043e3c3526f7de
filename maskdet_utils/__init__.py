"""The plumbing behind the face-mask notebooks.

Importing this package does not import TensorFlow: a notebook pays for what it uses, when it uses it.
"""

import os

# TensorFlow reads this once, when it is first imported: without it, its start-up notes fill the first cell of a notebook.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"
