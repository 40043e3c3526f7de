"""Keep what C++ libraries and kernels print about themselves out of notebooks and progress lines."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr(kept_in: int | None = None) -> Iterator[None]:
    """Send what this process and those it starts write to standard error into an open file, or to nowhere.

    Python's own errors are raised as ever. TensorFlow and LiteRT print their first notes before any setting of theirs
    is read; in JupyterLab these would stand in a red box.

    Args:
        kept_in: a file descriptor open for writing; without it the text is dropped.
    """
    sys.stderr.flush()
    before = os.dup(2)
    target = os.open(os.devnull, os.O_WRONLY) if kept_in is None else os.dup(kept_in)
    os.dup2(target, 2)
    os.close(target)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
