"""Run all notebooks without a browser and write a web page about the run: what `maskdet pipeline` does."""

import ast
import shutil
import sys
import tempfile
import time
from html import escape
from pathlib import Path

from PIL import Image

from .environment import quiet_stderr
from .evaluation import groups_text
from .paths import remove_leftovers, repository_root, swap_in
from .runs import FIGURES, KERNEL_ARGUMENTS, PIPELINE, RunError, read_metrics, update_metrics, write_text

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ccc; }
td.number { font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; }
figure { margin: 2rem 0; }
figcaption { color: #444; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #eee; } a { color: #7fc4ff; } figcaption { color: #bbb; } img { background: #fff; }
}
"""


def run_pipeline(profile: str, overrides: dict | None = None) -> Path:
    """Run notebooks 00–07 with the parameters in `params/<profile>.yaml`.

    Everything is written to a staging folder, which replaces the run folder only after all notebooks have passed.
    Therefore a failed or interrupted run never damages the last good one.

    Args:
        profile: The name of the parameter file, without its ending.
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
        raise RunError(f"No notebook has the parameter {', '.join(unknown)}. Available are: {', '.join(available)}.")

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
        write_page(staging)
        swap_in(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
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
        raise RunError(f"There is no profile {profile!r}. Available are: {names}.")
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


def write_page(run_dir: str | Path) -> Path:
    """Write a run's `index.html` from its `metrics.json`, `figures/`, and executed notebooks. Returns its path."""
    run_dir = Path(run_dir)
    metrics = read_metrics(run_dir)
    classes = " or ".join(name.replace("_", " ") for name in metrics.get("classes", ["a classifier"]))
    title = f"{classes.capitalize()}: {metrics['dataset']}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1>",
        f"<p>Trained on {metrics['n_train']} photos, with {metrics['n_validation']} for early stopping, and tested on "
        f"{metrics['n_test']} that it never saw. Unusable photos: {metrics['left_out']['count']}. Seed {metrics['seed']}.</p>",
        _scores_table(metrics),
        "<h2>Notebooks of this run</h2>",
        _notebooks_table(metrics),
        "<h2>Figures</h2>",
        *(_figure(path) for path in sorted((run_dir / FIGURES).glob("*.png"))),
        _footer(metrics),
        "</main></body></html>",
    ]
    write_text(run_dir / "index.html", "\n".join(parts) + "\n")
    return run_dir / "index.html"


def _scores_table(metrics: dict) -> str:
    names = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "roc_auc": "area under the ROC curve"}
    groups = "people" if metrics["dataset"] == "sample" else "groups"
    rows = ""
    for scores, photos in ((metrics, "as they are"), (metrics.get("degraded", {}), "degraded")):
        # Without an error there is no interval: what is known then is the line about people.
        for name, label in names.items():
            if name in scores:
                low, high = scores[name]["low"], scores[name]["high"]
                interval = f"{low:.4f} to {high:.4f}" if low is not None else "–"
                rows += _row(label, photos, f"{scores[name]['value']:.4f}", interval)
        if "groups_without_error" in scores:
            share = scores["groups_without_error"]
            count, _, confidence = groups_text(share, groups).partition("; ")
            rows += _row(f"{groups} without an error", photos, count, confidence)
    head = "".join(f"<th>{name}</th>" for name in ("score", "test photos", "value", "95% interval"))
    return (
        "<table><caption>Scores on the test set, and on the same photos degraded as a street camera might. "
        f"Intervals are over {groups}.</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(label: str, photos: str, value: str, interval: str) -> str:
    return (
        f"<tr><th scope='row'>{label}</th><td>{photos}</td><td class='number'>{value}</td>"
        f"<td class='number'>{interval}</td></tr>"
    )


def _notebooks_table(metrics: dict) -> str:
    rows = "".join(
        f"<tr><td><a href='{name}.ipynb'>{name}.ipynb</a></td><td class='number'>{metrics['seconds'][name]:.0f} s</td></tr>"
        for name in PIPELINE
    )
    return f"<table><thead><tr><th>notebook</th><th>time</th></tr></thead><tbody>{rows}</tbody></table>"


def _figure(path: Path) -> str:
    with Image.open(path) as image:
        alt = escape(image.info.get("Description", path.stem), quote=True)
    return f'<figure><img src="{FIGURES}/{path.name}" alt="{alt}"><figcaption>{alt}</figcaption></figure>'


def _footer(metrics: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
    memory = f" Peak memory: {metrics['peak_memory_mb']} MB." if "peak_memory_mb" in metrics else ""
    return f"<p><small>{escape(versions)}.{memory} All numbers: <a href='metrics.json'>metrics.json</a>.</small></p>"
