"""The page of a run: its figures, its numbers with their intervals, links to the executed notebooks."""

from html import escape
from pathlib import Path

from PIL import Image

from .runs import FIGURES, PIPELINE, read_metrics, write_text

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


def write_page(run_dir: str | Path) -> Path:
    """Write `index.html` of a run from its `metrics.json`, `figures/` and executed notebooks; returns its path."""
    run_dir = Path(run_dir)
    metrics = read_metrics(run_dir)
    classes = " or ".join(name.replace("_", " ") for name in metrics.get("classes", ["a classifier"]))
    title = f"{classes.capitalize()}: {metrics['dataset']}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1>",
        f"<p>Trained on {metrics['n_train']} photos, stopped by {metrics['n_validation']}, judged on {metrics['n_test']} "
        f"that it never saw. Left out as unusable: {metrics['left_out']['count']}. Seed {metrics['seed']}.</p>",
        _figures_table(metrics),
        "<h2>Notebooks of this run</h2>",
        _notebooks_table(metrics),
        "<h2>Figures</h2>",
        *(_figure(path) for path in sorted((run_dir / FIGURES).glob("*.png"))),
        _footer(metrics),
        "</main></body></html>",
    ]
    write_text(run_dir / "index.html", "\n".join(parts) + "\n")
    return run_dir / "index.html"


def _figures_table(metrics: dict) -> str:
    names = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "roc_auc": "area under the ROC curve"}
    rows = "".join(
        f"<tr><th scope='row'>{label}</th><td class='number'>{metrics[name]['value']:.4f}</td>"
        f"<td class='number'>{metrics[name]['low']:.4f} to {metrics[name]['high']:.4f}</td></tr>"
        for name, label in names.items()
    )
    return (
        "<table><caption>On the test part of the split. An interval that shrinks to a point does not mean certainty: "
        "it means too few test photos to meet a rare mistake.</caption>"
        f"<thead><tr><th>figure</th><th>value</th><th>95 % interval</th></tr></thead><tbody>{rows}</tbody></table>"
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
    memory = f" Largest process: {metrics['peak_memory_mb']} MB." if "peak_memory_mb" in metrics else ""
    return f"<p><small>{escape(versions)}.{memory} All numbers: <a href='metrics.json'>metrics.json</a>.</small></p>"
