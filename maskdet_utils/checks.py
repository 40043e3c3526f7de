"""Checks that a notebook's reader can see: a PASS line, or an error that says what is wrong and what to try."""

import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class CheckFailed(AssertionError):
    """A check of the notebook did not hold; the message says what was expected."""


def check(passed: bool, claim: str, hint: str = "") -> None:
    """Print "PASS" and the claim, or raise `CheckFailed` with the claim and a hint."""
    if not passed:
        raise CheckFailed(f"FAIL {claim}. {hint}".strip())
    print(f"PASS {claim}")


def same_arrays(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> bool:
    """Whether two lists of arrays agree bit for bit."""
    return len(before) == len(after) and all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def no_group_on_two_sides(manifest: "pd.DataFrame") -> bool:
    """Whether each group of a manifest with the columns `group` and `split` lies in one part of the split only."""
    return bool((manifest.groupby("group")["split"].nunique() == 1).all())


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
    import shutil

    return shutil.disk_usage(Path(folder)).free / 1e9
