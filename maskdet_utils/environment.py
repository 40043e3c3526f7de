"""The computer: package versions, system libraries, free disk space, and messages for its terminal."""

import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

_STDERR = threading.RLock()  # two threads that redirect it at once would restore the wrong one
LONGEST_MESSAGE = 800  # characters; a file's name has up to 255 of them, and some messages say it twice


class PlainError(Exception):
    """An error whose message is one short line, even if it quotes the name or the content of a damaged file."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str) -> str:
    """Escape what a terminal would not show, and leave out the middle of a text of over 800 characters."""
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:500]} … {text[-250:]}"


@contextlib.contextmanager
def quiet_stderr(kept_in: int | None = None) -> Iterator[None]:
    """Redirect standard error of this process and of those it starts into an open file, or drop it.

    Exceptions in Python are raised as usual. TensorFlow and LiteRT print their first messages before they read any
    setting. In JupyterLab these messages would appear in a red box.

    Args:
        kept_in: A file descriptor open for writing. Without it, the text is dropped.
    """
    with _STDERR:
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


def versions(requirements: list[str] | None = None) -> list[tuple[str, str, str, bool]]:
    """Compare the versions of Python and of each required package with what this project needs.

    Args:
        requirements: Requirement strings such as "numpy>=2". Without them, those of this package.

    Returns:
        One row per package: (package, version wanted, version found or "missing", whether it fits).

    Introduced in notebook 00.
    """
    from packaging.requirements import Requirement

    rows = [("python", ">=3.11,<3.14", ".".join(map(str, sys.version_info[:3])), (3, 11) <= sys.version_info < (3, 14))]
    for line in requirements or metadata.requires("maskdet-utils"):
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found = "missing"
        fits = found != "missing" and requirement.specifier.contains(found, prereleases=True)
        rows.append((requirement.name, str(requirement.specifier), found, fits))
    return rows


def system_libraries() -> str | None:
    """Check that OpenCV finds its system libraries.

    Returns:
        None if it does. Otherwise a sentence that names the missing library and the command that installs it.

    Introduced in notebook 00.
    """
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        if ".so" not in str(error):
            raise
        library = str(error).split(":")[0]
        return f"OpenCV needs {library}, which is not installed. On Debian or Ubuntu, run: sudo apt-get install libgl1 libglib2.0-0"
    return None


def free_disk_gb(folder: str | Path) -> float:
    """Free space in gigabytes on the disk that holds `folder`.

    Introduced in notebook 00.
    """
    return shutil.disk_usage(Path(folder)).free / 1e9
