"""Print the report of `maskdet evaluate` as text."""

from ..datasets import WORN_WRONG
from ..evaluation import score_text
from . import subgroups

NAMED = 20  # the text names this many photos at most; the dictionary names all of them


def as_text(report: dict) -> str:
    """Format the dictionary from `metrics.metrics_report` for people to read."""
    classes, counts = report["classes"], report["faces"]
    lines = [
        f"{sum(counts.values())} faces ({', '.join(f'{count} {name}' for name, count in counts.items() if count)}) "
        f"in {report['groups']['count']} groups ({report['groups']['from']})"
    ]
    lines += _named("left out", [f"{one['path']}: {one['reason']}" for one in report["left_out"]["photos"]])
    if "without_face" in report:
        lines += _named(f"no face found (of {report['photos']} photos)", report["without_face"]["photos"])
    lines += report["notes"]
    by_size = {"all": report, **{f"at least {size} pixels": part for size, part in report["by_size"].items()}}
    rows = [["", *by_size], ["faces", *(str(sum(part["faces"].values())) for part in by_size.values())]]
    rows += [[name, *(score_text(_flat(part)[name]) for part in by_size.values())] for name in _flat(report)]
    lines += ["", *_table(rows)]
    if len(classes) > 2:
        named = zip(classes, report["confusion"], strict=True)
        lines += ["", *_table([["", *(f"called {name}" for name in classes)], *([name, *row] for name, row in named)])]
        two, either = (score_text(report[name]["balanced_accuracy"]) for name in ("two_classes", "mask_or_not"))
        lines += [f"as if there were no {classes[2]}: balanced accuracy {two}"]
        lines += [f"{classes[0]} or not: balanced accuracy {either}"]
    if "at_threshold" in report:
        moved = report["at_threshold"]
        balanced = score_text(moved["balanced_accuracy"])
        lines += ["", f"{classes[0]} at a threshold of {moved['threshold']}: balanced accuracy {balanced}"]
    if "unsure" in report:
        (low, high), rest = report["unsure"]["band"], report["unsure"]["of_the_rest"]
        lines += [
            "",
            f"unsure: {report['unsure']['share']:.1%} of the faces (between {low} and {high}); "
            f"balanced accuracy of the rest {score_text(rest['balanced_accuracy'])}",
        ]
    for size, of_size in report.get("boxes", {}).items():
        rows = [[f"boxes of at least {size} pixels" if size != "0" else "all boxes"]]
        rows[0] += ["marked", "found", "precision", "recall", "F1"]
        named = {"found at all": of_size["found"], "found and labeled correctly": of_size["labeled"]}
        for name, found in (named | of_size["by_class"]).items():
            scores = (score_text(found[key]) for key in ("precision", "recall", "f1"))
            rows.append([name, found["marked"], found["found"], *scores])
        lines += ["", *_table(rows)]
    if report.get("min_overlap"):
        lines += [
            f"A face counts as found if its box and the marked one overlap by at least {report['min_overlap']:g}."
        ]
    for name, bins in report["slices"].items():
        named = [words for words in _flat(report) if words in _flat(bins[0]) and words != "accuracy"]
        rows = [[subgroups.WORDS[name], "faces", *named]]
        rows += [
            [_edges(part), sum(part["faces"].values()), *(score_text(_flat(part)[n]) for n in named)] for part in bins
        ]
        lines += ["", *_table(rows)]
    lines += [
        "",
        "In parentheses: 95% intervals, resampled over groups. An interval that shrinks to a point does not mean",
        "that the score is certain: there are too few faces to show a rare mistake.",
    ]
    if "seconds" in report:
        looking, intervals = report["seconds"].values()
        rate = report["faces_per_second"]
        lines += [f"{looking} s for the photos ({rate} faces per second), {intervals} s for the intervals."]
    return "\n".join(lines + ([f"\n{report['warning']}"] if report["warning"] else []))


def _flat(part: dict) -> dict:
    """The scores of some faces by the words that name them."""
    words = {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "macro_f1": "macro F1",
        "roc_auc": "area under ROC curve",
        "expected_calibration_error": "calibration error",
    }
    flat = {text: part[name] for name, text in words.items() if name in part}
    flat |= {f"recall {name}": score for name, score in part["recall"].items()}
    return flat | {name.replace("_called_", " called "): part[name] for name in part if name.startswith(WORN_WRONG)}


def _edges(part: dict) -> str:
    low, high = part["from"], part["to"]
    if low is None and high is None:
        return "not known"
    return f"below {high}" if low is None else f"at least {low}" if high is None else f"{low} to {high}"


def _table(rows: list) -> list[str]:
    """Lines with aligned columns."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _named(words: str, names: list[str]) -> list[str]:
    """A line with a count, and one line per name, but no more than a person would read."""
    if not names:
        return []
    more = [f"  … and {len(names) - NAMED} more (--json lists all)"] if len(names) > NAMED else []
    return [f"{words}: {len(names)}", *(f"  {name}" for name in names[:NAMED]), *more]
