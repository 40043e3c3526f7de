"""Run folders: what one notebook leaves for the next."""

import json
from pathlib import Path

from .paths import resolve, write_file

SCHEMA_VERSION = 1
PIPELINE = (
    "00_check_your_setup",
    "01_load_the_data",
    "02_augment_the_data",
    "03_mobilenetv2_head_surgery",
    "04_train_the_classifier",
    "05_evaluate_the_classifier",
    "06_live_webcam_demo",
)
FIGURES = "figures"
# A kernel's own log: notes on its sockets, nothing that a learner could use. What cells say does not go through it.
KERNEL_ARGUMENTS = ["--log-level=CRITICAL"]


class RunError(RuntimeError):
    """A run cannot start or go on; the message says what to do."""


def open_run(run_dir) -> Path:
    """The run folder as an absolute path, created if absent; a relative one counts from the repository's root."""
    folder = resolve(run_dir)
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    return folder


def artifact(run_dir, notebook: str, name: str) -> Path:
    """Where `notebook` (such as "01_load_the_data") writes its file `name`; the folder is created if absent."""
    path = open_run(run_dir) / notebook / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def require(run_dir, notebook: str, name: str) -> Path:
    """The path of a file that an earlier notebook wrote, in its own folder or (`classifier.keras`) in the run folder.

    Raises `RunError` if it is not there, naming the file and the notebook to run first.
    """
    folder = open_run(run_dir)
    for path in (folder / notebook / name, folder / name):
        if path.is_file():
            return path
    raise RunError(f"{name} is missing in {folder}. Run {notebook}.ipynb first (with the same run_dir).")


def read_metrics(run_dir) -> dict:
    """What is in the run's `metrics.json` so far; empty if there is none."""
    path = open_run(run_dir) / "metrics.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def update_metrics(run_dir, **entries) -> dict:
    """Add entries to the run's `metrics.json`, replacing those of the same name; returns all of them."""
    metrics = {"schema_version": SCHEMA_VERSION, **read_metrics(run_dir), **entries}
    write_text(open_run(run_dir) / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, see `paths.write_file`."""
    write_file(path, text.encode("utf-8"))
