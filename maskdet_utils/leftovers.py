"""What killed processes left behind in place of a folder that they wanted to make, see `paths.new_folder`."""

import os
import shutil
import time
from pathlib import Path

A_DAY = 24 * 3600  # seconds


def remove_leftovers(target: Path) -> None:
    """Remove staging folders `.<name of target>.*` that are older than a day, and undo a half-finished swap.

    Args:
        target: The folder that the processes wanted to make. A younger staging folder stays, because its process may
            still be running.
    """
    old = target.parent / f".{target.name}.old"
    if old.exists() and not target.exists():  # the process was killed between the two moves of `new_folder`
        os.replace(old, target)
    for folder in target.parent.glob(f".{target.name}.*"):
        if time.time() - folder.stat().st_mtime > A_DAY:
            shutil.rmtree(folder, ignore_errors=True)
