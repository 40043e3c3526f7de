"""Run folders: what one notebook leaves for the next, and the headless run of all of them."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .paths import remove_leftovers, repository_root, resolve, swap_in, write_file
from .quiet import quiet_stderr

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


def artefact(run_dir, notebook: str, name: str) -> Path:
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


def parameters_of(notebook: Path) -> dict:
    """The parameters of a notebook and their default values, as its cell tagged `parameters` sets them."""
    import ast

    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells
    source = "".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    assignments = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in assignments}


def run_pipeline(profile: str, overrides: dict | None = None) -> Path:
    """Run notebooks 00–06 headless with `params/<profile>.yaml`; returns the run folder `runs/<profile>`.

    Everything is made in a staging folder that takes the run folder's place only when all notebooks have passed: a
    failed or interrupted run leaves the last good one alone.

    Raises `RunError` for an unknown profile or parameter, and for a notebook that failed.
    """
    from . import report

    root = repository_root()
    parameters = {**read_profile(profile), **(overrides or {})}
    known = {name: parameters_of(root / "notebooks" / f"{name}.ipynb") for name in PIPELINE}
    unknown = sorted(set(parameters) - {"run_dir"} - {name for names in known.values() for name in names})
    if unknown:
        everything = sorted({name for names in known.values() for name in names})
        raise RunError(f"No notebook knows the parameter {', '.join(unknown)}. Known are: {', '.join(everything)}.")

    target = root / "runs" / profile
    remove_leftovers(target)
    target.parent.mkdir(exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{profile}."))
    staging.chmod(0o755)
    try:
        seconds = {}
        for name in PIPELINE:
            chosen = {key: value for key, value in parameters.items() if key in known[name]}
            seconds[name] = _execute(root / "notebooks" / f"{name}.ipynb", staging, chosen)
        update_metrics(staging, seconds={name: round(value, 1) for name, value in seconds.items()}, **_peak_memory())
        report.write_page(staging)
        swap_in(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def read_profile(profile: str) -> dict:
    """The parameters in `params/<profile>.yaml`. Raises `RunError` if there is no such file."""
    import yaml

    path = repository_root() / "params" / f"{profile}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise RunError(f"There is no profile {profile!r}. There are: {names}.")
    return yaml.safe_load(path.read_text()) or {}


def _execute(notebook: Path, staging: Path, parameters: dict) -> float:
    """Run one notebook into the staging folder; returns its seconds."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    start = time.perf_counter()
    print(f"{notebook.stem:32s}", end="", flush=True, file=sys.stderr)
    with tempfile.TemporaryFile() as log:
        try:
            with quiet_stderr(kept_in=log.fileno()):
                papermill.execute_notebook(
                    notebook,
                    staging / notebook.name,
                    {**parameters, "run_dir": str(staging)},
                    kernel_name="python3",
                    cwd=notebook.parent,
                    progress_bar=False,
                    extra_arguments=KERNEL_ARGUMENTS,
                )
        except DeadKernelError:
            print("failed", file=sys.stderr)
            log.seek(0)
            last_words = log.read().decode(errors="replace")[-2000:].strip()
            raise RunError(
                f"{notebook.name} failed: its process died"
                + (f". The last that it printed:\n{last_words}" if last_words else ", most likely for lack of memory.")
            ) from None
        except papermill.PapermillExecutionError as error:
            print("failed", file=sys.stderr)
            failed = staging.parent / (staging.name.split(".")[1] + "-failed")
            shutil.rmtree(failed, ignore_errors=True)
            shutil.copytree(staging, failed)
            raise RunError(
                f"{notebook.name} failed: {error.ename}: {error.evalue}\n"
                f"The notebook as far as it came: {failed / notebook.name}"
            ) from None
    seconds = time.perf_counter() - start
    print(f"{seconds:6.0f} s", file=sys.stderr)
    return seconds


def _peak_memory() -> dict:
    """The largest resident size that any notebook's process reached, in megabytes; unknown on Windows."""
    if sys.platform == "win32":
        return {}
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    return {"peak_memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6)}
