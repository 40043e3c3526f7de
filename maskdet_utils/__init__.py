"""The plumbing behind the face-mask notebooks.

Importing this package imports neither TensorFlow nor OpenCV: a notebook pays for what it uses, when it uses it.
"""

import os

# TensorFlow reads this once, when it is first imported: without it, its start-up notes fill the first cell of a notebook.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"


def __getattr__(name: str):
    """`from maskdet_utils import MaskDetector` loads OpenCV and LiteRT then, not with the package."""
    if name == "MaskDetector":
        from .detector import MaskDetector

        return MaskDetector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
