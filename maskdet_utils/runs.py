"""Run folders: the files that one notebook writes for the next."""

import json
from pathlib import Path

from .paths import resolve, write_file

SCHEMA_VERSION = 2
FIGURES = "figures"


class RunError(RuntimeError):
    """A run cannot start or continue. The message says what to do."""


def open_run(run_dir: str | Path) -> Path:
    """Make a run folder's path absolute (a relative one starts at the repository's root). It is created if missing.

    Introduced in notebook 00.
    """
    folder = resolve(run_dir)
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    return folder


def artifact(run_dir: str | Path, notebook: str, name: str) -> Path:
    """The path to which a notebook writes a file. The folder is created if missing.

    Args:
        run_dir: The run folder.
        notebook: The notebook's name without its extension, such as "01_load_the_data".
        name: The file's name.

    Introduced in notebook 01.
    """
    path = open_run(run_dir) / notebook / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def require(run_dir: str | Path, notebook: str, name: str) -> Path:
    """The path of a file that an earlier notebook wrote.

    Args:
        run_dir: The run folder.
        notebook: The name of the notebook that wrote the file, without its extension.
        name: The file's name. The file is in the notebook's own folder or (`classifier.keras`) in the run folder.

    Raises:
        RunError: The file is missing. The message names the file and the notebook to run first.

    Introduced in notebook 02.
    """
    folder = open_run(run_dir)
    for path in (folder / notebook / name, folder / name):
        if path.is_file():
            return path
    raise RunError(f"{name} is missing from {folder}. Run {notebook}.ipynb first (with the same run_dir).")


def read_metrics(run_dir: str | Path) -> dict:
    """Read the run's `metrics.json`. Without such a file, the result is empty."""
    path = open_run(run_dir) / "metrics.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def update_metrics(run_dir: str | Path, **entries) -> dict:
    """Add entries to the run's `metrics.json`, or replace those with the same name. Returns all entries.

    Introduced in notebook 01.
    """
    metrics = {**read_metrics(run_dir), "schema_version": SCHEMA_VERSION, **entries}
    write_text(open_run(run_dir) / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8 in one step, see `paths.write_file`.

    Introduced in notebook 04.
    """
    write_file(path, text.encode("utf-8"))
