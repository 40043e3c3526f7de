"""Run all notebooks without a browser, as `maskdet pipeline` does. `run_page` writes the web page about the run."""

import ast
import itertools
import json
import reprlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from filelock import Timeout

from .assets import digest
from .environment import printable, quiet_stderr
from .paths import new_folder, one_at_a_time, remove_leftovers, repository_root, write_file
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
FAILED = "failed.json"  # in the folder of a failed run: its files and their hashes


def run_pipeline(profile: str, overrides: dict | None = None) -> Path:
    """Run notebooks 00–07 with the parameters in `params/<profile>.yaml`.

    Everything is written to a staging folder, which replaces the run folder only after all notebooks have passed.
    That way, a failed or interrupted run never damages the last good one. What you added to the run folder is kept.

    Args:
        profile: The name of the parameter file without its extension.
        overrides: Parameters that replace those of the profile.

    Returns:
        The run folder, `runs/<profile>`.

    Raises:
        RunError: The profile or a parameter is unknown, a value is impossible, a notebook failed, the run folder holds
            something that is not a run, or another run with the same profile has not finished.
    """
    root = repository_root()
    parameters = read_parameters(profile, overrides)
    target = root / "runs" / profile
    target.parent.mkdir(exist_ok=True)
    try:
        with one_at_a_time(target).acquire(timeout=0):
            remove_leftovers(target)
            if target.is_dir() and any(target.iterdir()) and not (target / "metrics.json").is_file():
                raise RunError(f"{target} is not a run. To protect what is in it, move it somewhere else.")
            for path in target.rglob("*"):
                if path.exists() and not (path.is_file() or path.is_dir()):
                    raise RunError(
                        f"{path} is neither a file nor a folder, so it cannot be kept. Move it somewhere else."
                    )
            return _run(root, target, parameters)
    except Timeout:
        raise RunError(f"Another run with the profile {profile} has not finished. Wait for it.") from None


def _run(root: Path, target: Path, parameters: dict) -> Path:
    known = {name: parameters_of(root / "notebooks" / f"{name}.ipynb") for name in PIPELINE}
    seconds = {}
    with new_folder(target) as staging:
        for name in PIPELINE:
            chosen = {key: value for key, value in parameters.items() if key in known[name]}
            seconds[name] = _execute(root / "notebooks" / f"{name}.ipynb", staging, chosen, target)
        update_metrics(staging, seconds={name: round(value, 1) for name, value in seconds.items()}, **_peak_memory())
        try:
            write_page(staging)
        except Exception as error:  # what was trained must not be lost because of a page
            kept = f"Everything else of the run is kept in {_keep_failed(staging, target)}."
            raise RunError(f"The run's page failed: {type(error).__name__}: {error}\n{kept}") from error
        for path in target.iterdir() if target.is_dir() else ():
            if not (staging / path.name).exists():  # not from a run: notes, or what lessons 08 and 09 wrote
                if path.is_dir() and not path.is_symlink():
                    shutil.copytree(path, staging / path.name, symlinks=True)
                else:
                    shutil.copy2(path, staging / path.name, follow_symlinks=False)
    return target


def _keep_failed(staging: Path, target: Path) -> Path:
    """Copy what a failed run wrote next to its run folder. It replaces an earlier failed run, but nothing else."""
    files = {path.relative_to(staging).as_posix(): digest(path) for path in staging.rglob("*") if path.is_file()}
    write_file(staging / FAILED, json.dumps(files).encode())
    names = itertools.chain(["failed"], (f"failed-{number}" for number in itertools.count(2)))
    failed = next(path for name in names if _is_free(path := target.with_name(f"{target.name}-{name}")))
    with new_folder(failed) as copy:
        shutil.copytree(staging, copy, dirs_exist_ok=True)
    return failed


def _is_free(folder: Path) -> bool:
    """Whether there is no such folder, or it holds nothing but a failed run as `_keep_failed` left it."""
    try:
        known = json.loads((folder / FAILED).read_text()) if folder.is_symlink() or folder.exists() else {}
        found = [path for path in folder.rglob("*") if path.name != FAILED and (path.is_symlink() or not path.is_dir())]
        return all(path.is_file() and digest(path) == known[path.relative_to(folder).as_posix()] for path in found)
    except (OSError, ValueError, LookupError, TypeError):
        return False


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
        RunError: There is no such file (the message lists those that exist), or it cannot be read.
    """
    files = {file.stem: file for file in sorted((repository_root() / "params").glob("*.yaml"))}
    if profile not in files:
        raise RunError(f"There is no profile {profile!r}. Choose from: {', '.join(files)}.")
    content = read_yaml(files[profile].read_text(encoding="utf-8", errors="replace"), files[profile].name)
    if not isinstance(content or {}, dict) or not all(isinstance(name, str) for name in content or {}):
        raise RunError(f"{files[profile]} must hold lines such as: seed: 0")
    return content or {}


def read_yaml(text: str, name: str):
    """Read YAML. Raises `RunError` with the name of the parameter or file if it isn't any."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # Not all are YAML's own: the date 2020-99-99 is a ValueError, "!!bool x" a KeyError, "!!timestamp x" an AttributeError.
        problem = getattr(error, "problem", None) or "it makes no sense"
        raise RunError(printable(f"{name}: {text.strip()[:60]!r} is not valid YAML ({problem}).")) from None


def read_parameters(profile: str, overrides: dict | None = None) -> dict:
    """Read a profile, replace some of its parameters, and check all of them against the notebooks' own values.

    Raises:
        RunError: A parameter is unknown, or its value is of another type than the notebook's, or impossible.
    """
    parameters = {**read_profile(profile), **(overrides or {})}
    folder = repository_root() / "notebooks"
    defaults = {key: value for name in PIPELINE for key, value in parameters_of(folder / f"{name}.ipynb").items()}
    if "run_dir" in parameters:
        raise RunError("run_dir is always runs/<profile>. For another folder, copy the profile in params/.")
    known = sorted(defaults.keys() - {"run_dir"})
    unknown = sorted({str(name) for name in parameters} - set(known))
    if unknown:
        such = printable(", ".join(unknown)[:200])
        raise RunError(f"No notebook has the parameter {such}. Choose from: {', '.join(known)}.")
    for name, value in parameters.items():
        default = defaults[name]
        if type(value) is not type(default) and (type(default), type(value)) != (float, int):
            raise RunError(f"{name} must be a value such as {default!r}, not {_shown(value)}.")
        least, most = {"image_size": (32, 1024), "seed": (0, 2**32 - 1), "classes": (2, 3)}.get(name, (0, 1_000_000))
        if type(value) in (int, float) and not least <= value <= most:
            raise RunError(f"{name} must be from {least} to {most:,}, not {_shown(value)}.")
        if value == "":
            raise RunError(f"{name} is empty. Give a value such as {default!r}.")
    return parameters


def _shown(value) -> str:
    """The beginning of a value that may be huge: ten lines of YAML can hold a list of a billion lists."""
    try:
        return reprlib.repr(value)[:80]
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return "a number with thousands of digits"


def _execute(notebook: Path, staging: Path, parameters: dict, target: Path) -> float:
    """Run one notebook of the run `target` and save it in the staging folder. Returns the time in seconds."""
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
            try:
                kept = f"The notebook up to the error: {_keep_failed(staging, target) / notebook.name}"
            except OSError as problem:
                kept = f"The notebook up to the error could not be kept: {problem.strerror or 'it cannot be copied'}."
            raise RunError(f"{notebook.name} failed: {error.ename}: {error.evalue}\n{kept}") from None
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
