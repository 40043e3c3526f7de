"""Write the web page about a run, `index.html`, and its notebooks as web pages beside it.

You can copy the run folder anywhere and open it without a network: the pages link to nothing outside it, and contain no
scripts.
"""

import math
import re
from html import escape
from pathlib import Path

from PIL import Image

from .paths import repository_root
from .runs import FIGURES, read_metrics, write_text

# Shown at the top: where the classifier was wrong or unsure, and how it learned.
TOP_FIGURES = ("05_worst", "04_training_curves")

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h1 { line-height: 1.2; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ccc; }
td.number, .confusion td { font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.accuracy { font-size: 1.25rem; }
.accuracy strong { font-size: 2rem; }
.confusion td { text-align: right; }
.confusion td.right { background: #d9ead3; }
.top { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 0 2rem; align-items: start; }
img { max-width: 100%; height: auto; }
figure { margin: 1rem 0 2rem; }
figcaption { color: #444; }
@media (max-width: 40rem) { .plain { width: max-content; max-width: 44rem; } }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #eee; } a { color: #7fc4ff; } figcaption { color: #bbb; } img { background: #fff; }
  .confusion td.right { background: #2c4a2c; }
}
"""

# JupyterLab cuts off what is too wide, because there its editor scrolls. Here the cell itself has to.
_NOTEBOOK_STYLE = """
body.jp-Notebook { max-width: 70rem; margin: 0 auto; }
.run { padding: 0 10px; font: 16px sans-serif; }
.jp-InputArea-editor, .jp-OutputArea-output { overflow-x: auto; max-width: 100%; }
.jp-OutputArea-output pre { white-space: pre; }
.jp-MarkdownOutput img, .jp-RenderedImage img { max-width: 100%; height: auto; }
.jp-MarkdownOutput code { white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 760px) { /* where JupyterLab makes them rows of a table, which do not scroll */
  .jp-InputArea, .jp-InputArea-editor, .jp-OutputArea-child, .jp-OutputArea-child .jp-OutputArea-output { display: block; }
  .jp-OutputArea-child .jp-OutputArea-output { box-sizing: border-box; margin-left: 0; }
  .jp-InputPrompt, .jp-OutputPrompt { display: none; }
}
"""


def write_page(run_dir: str | Path) -> Path:
    """Write a run's `index.html` from its `metrics.json`, `figures/`, and executed notebooks. Returns its path.

    Each executed notebook gets a web page of its own beside it, with the extension `.html`.
    """
    run_dir = Path(run_dir)
    metrics = read_metrics(run_dir)
    for name in metrics["seconds"]:
        write_text(run_dir / f"{name}.html", notebook_page(run_dir / f"{name}.ipynb", list(metrics["seconds"])))
    classes = " or ".join(name.replace("_", " ") for name in metrics.get("classes", ["a classifier"]))
    title = f"{classes.capitalize()}: {metrics['dataset']}"
    figures = {path.stem: _figure(path, metrics) for path in sorted((run_dir / FIGURES).glob("*.png"))}
    top = [figures.pop(name) for name in TOP_FIGURES if name in figures]
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1>",
        _accuracy(metrics),
        _confusion_table(metrics),
        f'<div class="top">{"".join(top)}</div>',
        "<h2>Scores</h2>",
        f"<p>Trained on {metrics['n_train']} photos, with {metrics['n_validation']} for early stopping, and tested on "
        f"{metrics['n_test']} that it never saw. Files left out: {metrics['left_out']['count']}. Seed {metrics['seed']}. "
        f"{escape(' '.join(metrics.get('notes', [])))}</p>",
        _scores_table(metrics),
        "<h2>Notebooks of this run</h2>",
        _notebooks_table(metrics),
        "<h2>More figures</h2>",
        *figures.values(),
        _footer(metrics),
        "</main></body></html>",
    ]
    write_text(run_dir / "index.html", "\n".join(parts) + "\n")
    return run_dir / "index.html"


def notebook_page(notebook: Path, of_the_run: list[str]) -> str:
    """Return an executed notebook as one HTML page that holds its figures and needs no network.

    Args:
        notebook: The notebook's file.
        of_the_run: The names of the notebooks that have such a page beside this one, without their extension. Links to
            them are kept, as are links to the web. All others would lead out of the run folder, so they become plain
            text.
    """
    import nbformat
    from nbconvert import HTMLExporter

    def local(link: re.Match) -> str:
        text, target = link.groups()
        name = target.removesuffix(".ipynb")
        if name in of_the_run:
            return f"[{text}]({name}.html)"
        return link[0] if target.startswith(("http", "#")) else text

    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", local, cell.source)
            # The text names its pictures as seen from notebooks/, but only those below `path` are embedded.
            cell.source = re.sub(r'(src="|!\[[^\]]*\]\()\.\./', r"\1", cell.source)
    about = {"name": notebook.stem, "path": str(repository_root())}
    html, _ = HTMLExporter(template_name="lab", embed_images=True).from_notebook_node(content, {"metadata": about})
    # All that scripts do here is fetch something: MathJax, require.js, and what would show a progress bar again.
    html = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    html = html.replace("</head>", f"<style>{_NOTEBOOK_STYLE}</style></head>", 1)
    back = '<p class="run"><a href="index.html" style="text-decoration: underline">All results of this run</a></p>'
    return html.replace("<main>", f"<main>{back}", 1)


def _accuracy(metrics: dict) -> str:
    score = metrics["accuracy"]
    if score["low"] is None:  # without an error there is no interval for the accuracy, but one for people
        sure = groups_text(metrics["groups_without_error"], _groups(metrics))
    else:
        sure = f"95% interval {score['low']:.4f} to {score['high']:.4f}, over {_groups(metrics)}"
    return (
        f'<p class="accuracy"><strong>{score["value"]:.4f}</strong> accuracy on {metrics["n_test"]} test photos<br>'
        f"{sure[0].upper()}{sure[1:]}.</p>"
    )


def _groups(metrics: dict) -> str:
    return "people" if metrics["dataset"] == "sample" else "groups"


def _confusion_table(metrics: dict) -> str:
    if "confusion" not in metrics:
        return ""
    classes = metrics["classes"]
    if len(metrics["confusion"]) < len(classes):  # of three classes, notebook 07 only asks: the first one or not?
        classes = [classes[0], f"not {classes[0]}"]
    names = [escape(name.replace("_", " ")) for name in classes]
    head = "<td></td>" + "".join(f'<th scope="col">called {name}</th>' for name in names)
    rows = ""
    for row, name in enumerate(names):
        counts = enumerate(metrics["confusion"][row])
        cells = "".join(f"<td{' class=right' if column == row else ''}>{count}</td>" for column, count in counts)
        rows += f'<tr><th scope="row">{name}</th>{cells}</tr>'
    caption = "Confusion matrix: test photos by true class (rows) and predicted class (columns)."
    return _table(caption, head, rows, "confusion")


def _table(caption: str, head: str, rows: str, kind: str = "plain") -> str:
    """A table that scrolls on a narrow screen, with the keyboard too."""
    return (
        f'<p>{caption}</p><div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table class="{kind}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _scores_table(metrics: dict) -> str:
    names = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "roc_auc": "area under the ROC curve"}
    groups = _groups(metrics)
    rows = ""
    for scores, photos in ((metrics, "as they are"), (metrics.get("degraded", {}), "degraded")):
        # Without an error there is no interval. The line about people has what we do know.
        for name, label in names.items():
            if name in scores:
                low, high = scores[name]["low"], scores[name]["high"]
                interval = f"{low:.4f} to {high:.4f}" if low is not None else "–"
                rows += _row(label, photos, f"{scores[name]['value']:.4f}", interval)
        if "groups_without_error" in scores:
            share = scores["groups_without_error"]
            count, _, confidence = groups_text(share, groups).partition("; ")
            rows += _row(f"{groups} without an error", photos, count, confidence)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("score", "test photos", "value", "95% interval"))
    caption = "Scores on the test set, and on the same photos degraded the way a street camera might."
    return _table(f"{caption} Intervals are over {groups}.", head, rows)


def _row(label: str, photos: str, value: str, interval: str) -> str:
    return (
        f"<tr><th scope='row'>{label}</th><td>{photos}</td><td class='number'>{value}</td>"
        f"<td class='number'>{interval}</td></tr>"
    )


def _notebooks_table(metrics: dict) -> str:
    rows = "".join(
        f"<tr><td><a href='{name}.html'>{name}</a></td><td><a href='{name}.ipynb'>{name}.ipynb</a></td>"
        f"<td class='number'>{seconds:.0f} s</td></tr>"
        for name, seconds in metrics["seconds"].items()
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("to read", "to run in JupyterLab", "time"))
    return _table("The notebooks as this run executed them, with their results.", head, rows)


def _figure(path: Path, metrics: dict) -> str:
    with Image.open(path) as image:
        alt = escape(image.info.get("Description", path.stem), quote=True)
    origin = next((name for name in metrics["seconds"] if name[:2] == path.stem[:2]), None)
    link = f' <a href="{origin}.html">{origin}</a>' if origin else ""
    return f'<figure><img src="{FIGURES}/{path.name}" alt="{alt}"><figcaption>{alt}{link}</figcaption></figure>'


def _footer(metrics: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
    memory = f" Peak memory: {metrics['peak_memory_mb']} MB." if "peak_memory_mb" in metrics else ""
    return f"<p><small>{escape(versions)}.{memory} All numbers: <a href='metrics.json'>metrics.json</a>.</small></p>"


def groups_text(score: dict, name: str = "people") -> str:
    """Format the result of `groups_without_error`, such as "no error in the photos of 8 of 8 people; …".

    Args:
        score: `{"value", "low", "high", "count", "of"}`.
        name: what the groups are.
    """
    low, high = (100 * score[end] for end in ("low", "high"))
    text = f"no error in the photos of {score['count']} of {score['of']} {name}; with 95% confidence "
    # Rounded outward, so that the interval is never narrower than it is.
    return text + (
        f"at least {math.floor(low)}% of {name} like these"
        if score["count"] == score["of"]
        else f"{math.floor(low)}% to {math.ceil(high)}% of {name} like these"
    )
