"""The report of `maskdet evaluate`, to be read by people."""

from ..datasets import WORN_WRONG
from ..evaluation import score_text
from . import subgroups

NAMED = 20  # photos that the text names; the dictionary names all of them


def as_text(report: dict) -> str:
    """What `metrics.metrics_report` gave, to be read by people."""
    classes, counts = report["classes"], report["faces"]
    lines = [
        f"{sum(counts.values())} faces ({', '.join(f'{count} {name}' for name, count in counts.items() if count)}) "
        f"of {report['groups']['count']} groups ({report['groups']['from']})"
    ]
    lines += _named("left out", [f"{one['path']}: {one['reason']}" for one in report["left_out"]["photos"]])
    if "without_face" in report:
        lines += _named(f"no face found (of {report['photos']} photos)", report["without_face"]["photos"])
    lines += report["notes"]
    parts = {"all": report, **{f"{size} pixels and more": part for size, part in report["by_size"].items()}}
    rows = [["", *parts], ["faces", *(str(sum(part["faces"].values())) for part in parts.values())]]
    rows += [[name, *(score_text(_flat(part)[name]) for part in parts.values())] for name in _flat(report)]
    lines += ["", *_table(rows)]
    if len(classes) > 2:
        named = zip(classes, report["confusion"], strict=True)
        lines += ["", *_table([["", *(f"called {name}" for name in classes)], *([name, *row] for name, row in named)])]
        balanced = score_text(report["two_classes"]["balanced_accuracy"])
        lines += [f"as if there were no {classes[2]}: balanced accuracy {balanced}"]
    if "at_threshold" in report:
        part = report["at_threshold"]
        lines += [
            "",
            f"{classes[0]} from {part['threshold']} on: balanced accuracy {score_text(part['balanced_accuracy'])}",
        ]
    if "unsure" in report:
        (low, high), part = report["unsure"]["band"], report["unsure"]["of_the_rest"]
        lines += [
            "",
            f"between {low} and {high}, unsure: {report['unsure']['share']:.1%} of the faces; "
            f"balanced accuracy of the rest {score_text(part['balanced_accuracy'])}",
        ]
    for size, part in report.get("boxes", {}).items():
        rows = [[f"boxes of {size} pixels and more" if size != "0" else "all boxes"]]
        rows[0] += ["marked", "found", "precision", "recall", "F1"]
        named = {"found at all": part["found"], "found and labelled right": part["labelled"], **part["by_class"]}
        for name, found in named.items():
            figures_of = (score_text(found[key]) for key in ("precision", "recall", "f1"))
            rows.append([name, found["marked"], found["found"], *figures_of])
        lines += ["", *_table(rows)]
    for name, parts in report["slices"].items():
        named = [said for said in _flat(report) if said in _flat(parts[0]) and said != "accuracy"]
        rows = [[subgroups.WORDS[name], "faces", *named]]
        rows += [
            [_band(part), sum(part["faces"].values()), *(score_text(_flat(part)[n]) for n in named)] for part in parts
        ]
        lines += ["", *_table(rows)]
    lines += [
        "",
        "In brackets: 95 % intervals, drawn over groups. One that shrinks to a point does not mean certainty: it",
    ]
    lines += ["means too few faces to meet a rare mistake."]
    if "seconds" in report:
        looking, intervals = report["seconds"].values()
        lines += [
            f"{looking} s to look at the photos ({report['faces_per_second']} faces a second), {intervals} s for the intervals."
        ]
    return "\n".join(lines + ([f"\n{report['warning']}"] if report["warning"] else []))


def _flat(part: dict) -> dict:
    """The figures of a part by the words that name them."""
    words = {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "macro_f1": "macro F1",
        "roc_auc": "area under ROC curve",
        "expected_calibration_error": "calibration error",
    }
    flat = {said: part[name] for name, said in words.items() if name in part}
    flat |= {f"recall {name}": figure for name, figure in part["recall"].items()}
    return flat | {name.replace("_called_", " called "): part[name] for name in part if name.startswith(WORN_WRONG)}


def _band(part: dict) -> str:
    low, high = part["from"], part["to"]
    if low is None and high is None:
        return "not known"
    return f"below {high}" if low is None else f"{low} and more" if high is None else f"{low} to {high}"


def _table(rows: list) -> list[str]:
    """Lines with the columns one below the other."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _named(words: str, names: list[str]) -> list[str]:
    """A line with a count, and one for each name, as far as anybody would read them."""
    if not names:
        return []
    more = [f"  … and {len(names) - NAMED} more (--json names all)"] if len(names) > NAMED else []
    return [f"{words}: {len(names)}", *(f"  {name}" for name in names[:NAMED]), *more]
