"""The machine around the course: versions, system libraries, disk, and what C++ libraries print about themselves."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path


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


def versions(requirements: list[str] | None = None) -> list[tuple[str, str, str, bool]]:
    """(package, version wanted, version found, fits) for Python and each package that this project asks for."""
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
    """One sentence with the command that mends it if OpenCV cannot load for lack of a system library, else None."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        if ".so" not in str(error):
            raise
        library = str(error).split(":")[0]
        return f"OpenCV needs {library}, which this system lacks. On Debian or Ubuntu: sudo apt-get install libgl1 libglib2.0-0"
    return None


def free_disk_gb(folder: str | Path) -> float:
    """Free space on the disk that holds `folder`, in gigabytes."""
    return shutil.disk_usage(Path(folder)).free / 1e9
