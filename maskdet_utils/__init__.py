"""The code behind the face-mask notebooks.

Importing this package loads neither TensorFlow nor OpenCV. A notebook loads what it uses, when it uses it.
"""

import os

# TensorFlow reads this once, on its first import. Without it, startup messages fill the first cell of a notebook.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# OpenCV, too. A small TIFF of one color could ask it for 10 GB of memory. This is `photos.MAX_PIXELS`.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

__version__ = "0.1.0"


def __getattr__(name: str):
    """Load `MaskDetector`, and OpenCV and LiteRT with it, only when somebody imports it."""
    if name == "MaskDetector":
        from .detector import MaskDetector

        return MaskDetector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
