"""Keep what C++ libraries print on their start out of notebooks and progress lines."""

import contextlib
import os
import sys


@contextlib.contextmanager
def quiet_start():
    """Send what is written to the process's standard error to nowhere, C++ code included, while a library starts.

    Python's own errors are raised as ever. TensorFlow and LiteRT print their first notes before any setting of theirs
    is read; in JupyterLab these would stand in a red box.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
