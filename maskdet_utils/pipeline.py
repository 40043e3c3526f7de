"""Run all notebooks without a browser, as `maskdet pipeline` does. `run_page` writes the web page about the run."""

import ast
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .environment import quiet_stderr
from .leftovers import remove_leftovers
from .paths import new_folder, repository_root
from .run_page import write_page
from .runs import RunError, update_metrics

PIPELINE = (
    "00_check_your_setup",
    "01_load_the_data",
    "02_augment_the_data",
    "03_mobilenetv2_head_surgery",
    "04_train_the_classifier",
    "05_evaluate_the_classifier",
    "06_live_webcam_demo",
    "07_make_it_better",
)
# The kernel's own log is about its sockets and does not help a learner. What cells print does not go through it.
KERNEL_ARGUMENTS = ["--log-level=CRITICAL"]


def run_pipeline(profile: str, overrides: dict | None = None) -> Path:
    """Run notebooks 00–07 with the parameters in `params/<profile>.yaml`.

    Everything is written to a staging folder, which replaces the run folder only after all notebooks have passed.
    That way, a failed or interrupted run never damages the last good one.

    Args:
        profile: The name of the parameter file without its extension.
        overrides: Parameters that replace those of the profile.

    Returns:
        The run folder, `runs/<profile>`.

    Raises:
        RunError: The profile or a parameter is unknown, or a notebook failed.
    """
    root = repository_root()
    parameters = {**read_profile(profile), **(overrides or {})}
    known = {name: parameters_of(root / "notebooks" / f"{name}.ipynb") for name in PIPELINE}
    unknown = sorted(set(parameters) - {"run_dir"} - {name for names in known.values() for name in names})
    if unknown:
        available = sorted({name for names in known.values() for name in names})
        raise RunError(f"No notebook has the parameter {', '.join(unknown)}. Choose from: {', '.join(available)}.")

    target = root / "runs" / profile
    remove_leftovers(target)
    target.parent.mkdir(exist_ok=True)
    seconds = {}
    with new_folder(target) as staging:
        for name in PIPELINE:
            chosen = {key: value for key, value in parameters.items() if key in known[name]}
            seconds[name] = _execute(root / "notebooks" / f"{name}.ipynb", staging, chosen)
        update_metrics(staging, seconds={name: round(value, 1) for name, value in seconds.items()}, **_peak_memory())
        write_page(staging)
    return target


def parameters_of(notebook: Path) -> dict:
    """Read a notebook's parameters and their default values from its cell tagged `parameters`."""
    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells
    source = "".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    assignments = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in assignments}


def read_profile(profile: str) -> dict:
    """Read the parameters in `params/<profile>.yaml`.

    Raises:
        RunError: There is no such file. The message lists the profiles that exist.
    """
    import yaml

    path = repository_root() / "params" / f"{profile}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise RunError(f"There is no profile {profile!r}. Choose from: {names}.")
    return yaml.safe_load(path.read_text()) or {}


def _execute(notebook: Path, staging: Path, parameters: dict) -> float:
    """Run one notebook and save it in the staging folder. Returns the time in seconds."""
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
            last_output = log.read().decode(errors="replace")[-2000:].strip()
            raise RunError(
                f"{notebook.name} failed: its process died"
                + (f". Its last output:\n{last_output}" if last_output else ", most likely because memory ran out.")
            ) from None
        except papermill.PapermillExecutionError as error:
            print("failed", file=sys.stderr)
            failed = staging.parent / (staging.name.split(".")[1] + "-failed")
            shutil.rmtree(failed, ignore_errors=True)
            shutil.copytree(staging, failed)
            raise RunError(
                f"{notebook.name} failed: {error.ename}: {error.evalue}\n"
                f"The notebook up to the error: {failed / notebook.name}"
            ) from None
    seconds = time.perf_counter() - start
    print(f"{seconds:6.0f} s", file=sys.stderr)
    return seconds


def _peak_memory() -> dict:
    """The peak resident memory of the largest notebook process in megabytes, or nothing on Windows."""
    if sys.platform == "win32":
        return {}
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    return {"peak_memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6)}
