"""The figures of a classifier on a set of faces, with intervals, by size and by slice: as a dictionary and as text."""

from functools import partial

import numpy as np

from . import evaluation, matching, slices
from .detector import at_threshold

WORN_WRONG = "worn_incorrectly"  # the third state: a class that a classifier of two classes does not know
SIZES = (24, 48)  # pixels: the figures are given for faces of at least so many, too
SMALLEST_BOXES = (0, 20)  # pixels of the shorter side: figures on marked boxes are given for all and without tiny ones
NAMED = 20  # photos that the text names; the dictionary names all of them


def of_faces(seen, labels: dict) -> dict:
    """All that there is to say about a `judge.Seen`; labels: the run's, see `detector.read_labels`.

    The dictionary has the `figures` of all faces, and the same `by_size` for faces of at least 24 and 48 pixels;
    `slices`: for each measure of `slices.BANDS` a list of bands, with `from`, `to` and short figures; `warning`, a
    sentence if the classifier is worse than chance, else None; `notes`; `groups`, `left_out` and, for whole photos,
    `photos`, `without_face` and `boxes` (see `of_boxes`). If `labels` has a threshold other than 0.5, `at_threshold`;
    if it has a band `unsure`, the share of faces in it and the short figures of the rest; if it has three classes,
    `two_classes`: the figures without the third one, as if there were no such class.
    """
    classes, table, said = labels["classes"], seen.faces, np.asarray(seen.probabilities)
    names, groups = table["label"].to_numpy(object), table["group"].to_numpy(object)

    def of(chosen, short=False, scores=said):
        return figures(names[chosen], scores[chosen], groups[chosen], classes, short)

    everyone = np.ones(len(table), bool)
    all_faces, by_size, by_slice, more = of(everyone), {}, {}, {}
    for size in SIZES:
        large = table["face_size"].to_numpy(float) >= size
        by_size[str(size)] = all_faces if large.all() else of(large)
    for name in (name for name in slices.BANDS if name in table):
        by_slice[name] = [
            {"from": low, "to": high, **of(inside, short=True)}
            for low, high, inside in slices.bands(name, table[name].to_numpy(float))
        ]
    if labels["threshold"] != 0.5:
        scores = at_threshold(said, labels["threshold"])
        more["at_threshold"] = {"threshold": labels["threshold"], **of(everyone, short=True, scores=scores)}
    if "unsure" in labels:
        low, high = labels["unsure"]
        sure = (said[:, 0] <= low) | (said[:, 0] >= high)
        more["unsure"] = {"band": [low, high], "share": float((~sure).mean()), "of_the_rest": of(sure, short=True)}
    if len(classes) > 2:
        two = np.isin(names, classes[:2])
        shares = said[two, :2] / np.maximum(said[two, :2].sum(axis=1, keepdims=True), 1e-9)
        more["two_classes"] = figures(names[two], shares, groups[two], classes[:2])
    if seen.boxes is not None:
        more["boxes"] = of_boxes(seen.boxes, seen.box_groups, classes)
    if seen.without_face is not None:
        more["without_face"] = {"count": len(seen.without_face), "photos": seen.without_face}
    warning = _worse_than_chance(all_faces, len(classes))
    return {
        "classes": classes,
        "warning": warning,
        "notes": seen.notes + _missing_classes(all_faces, classes),
        "groups": {"count": len(set(groups)), "from": seen.groups_from},
        "photos": seen.photos,
        "left_out": {"count": len(seen.left_out), "photos": seen.left_out},
        **all_faces,
        "by_size": by_size,
        "slices": by_slice,
        **more,
    }


def figures(labels, probabilities, groups, classes, short: bool = False) -> dict:
    """The figures of some faces, each `{"value", "low", "high"}` with a 95 % interval over groups, as JSON can hold it.

    labels: true classes, str `(n,)`; `worn_incorrectly`, if it is none of `classes`, is kept out of all figures but its
    own: the share that is called by the first class's name. probabilities: `(n, classes)`; the likeliest class is the
    label. groups: `(n,)`.

    `faces` (counts by class), `accuracy`, `balanced_accuracy`, `recall` by class; unless short, `roc_auc` (of the first
    class against the rest), `expected_calibration_error` (15 bins of equal mass), `macro_f1` (three classes only) and
    `confusion` (true, called). None stands for a figure that these faces do not have; low and high are None if all
    faces are of one group.
    """
    known = np.isin(labels, classes)
    truth = np.array([classes.index(label) for label in labels[known]], int)
    said = probabilities[known]
    counts = np.bincount(truth, minlength=len(classes))
    metrics = {"accuracy": evaluation.accuracy, "balanced_accuracy": evaluation.balanced_accuracy}
    if not short:
        metrics["roc_auc"] = evaluation.roc_auc
        metrics["expected_calibration_error"] = evaluation.expected_calibration_error
        if len(classes) > 2:
            metrics["macro_f1"] = evaluation.macro_f1
    possible = {"accuracy", "expected_calibration_error"} if counts.any() else set()
    if np.count_nonzero(counts) > 1:
        possible |= {"balanced_accuracy", "macro_f1"} | ({"roc_auc"} if counts[0] else set())
    recalls = {f"recall {name}": partial(evaluation.recall, label=n) for n, name in enumerate(classes) if counts[n]}
    asked_for = {name: metric for name, metric in metrics.items() if name in possible} | recalls
    found = _with_intervals(asked_for, truth, said, groups[known])
    answer = {
        "faces": {name: int((labels == name).sum()) for name in dict.fromkeys([*classes, WORN_WRONG])},
        **{name: found.get(name) for name in metrics},
        "recall": {name: found.get(f"recall {name}") for name in classes},
    }
    if not short:
        answer["confusion"] = evaluation.confusion(truth, said).tolist()
    if WORN_WRONG not in classes:
        wrong = labels == WORN_WRONG
        metric = {"share": partial(evaluation.recall, label=0)}
        share = _with_intervals(metric, np.zeros(wrong.sum(), int), probabilities[wrong], groups[wrong]).get("share")
        answer[f"{WORN_WRONG}_called_{classes[0]}"] = share
    return answer


def of_boxes(counts: np.ndarray, groups, classes) -> dict:
    """Found and labelled right: precision, recall and F1 with intervals, from `matching.count` of each photo.

    counts: `(photos, sizes, classes + 1, 3)`. Gives for each of `SMALLEST_BOXES` ("0", "20": only boxes with a side of
    at least so many pixels) `found` (position only, whatever the label), `labelled` (position and label, all classes
    together) and `by_class`, each with `marked` and `found` (counts), `precision`, `recall` and `f1`.
    """
    answer = {}
    for number, size in enumerate(SMALLEST_BOXES):
        of_size = counts[:, number]
        answer[str(size)] = {
            "found": _box_figures(of_size[:, -1], groups),
            "labelled": _box_figures(of_size[:, :-1].sum(axis=1), groups),
            "by_class": {name: _box_figures(of_size[:, place], groups) for place, name in enumerate(classes)},
        }
    return answer


def as_text(card: dict) -> str:
    """What `of_faces` gave, to be read by people."""
    classes, counts = card["classes"], card["faces"]
    lines = [
        f"{sum(counts.values())} faces ({', '.join(f'{count} {name}' for name, count in counts.items() if count)}) "
        f"of {card['groups']['count']} groups ({card['groups']['from']})"
    ]
    lines += _named("left out", [f"{one['path']}: {one['reason']}" for one in card["left_out"]["photos"]])
    if "without_face" in card:
        lines += _named(f"no face found (of {card['photos']} photos)", card["without_face"]["photos"])
    lines += card["notes"]
    parts = {"all": card, **{f"{size} pixels and more": part for size, part in card["by_size"].items()}}
    rows = [["", *parts], ["faces", *(str(sum(part["faces"].values())) for part in parts.values())]]
    rows += [[name, *(_text(_flat(part)[name]) for part in parts.values())] for name in _flat(card)]
    lines += ["", *_table(rows)]
    if len(classes) > 2:
        named = zip(classes, card["confusion"], strict=True)
        lines += ["", *_table([["", *(f"called {name}" for name in classes)], *([name, *row] for name, row in named)])]
        balanced = _text(card["two_classes"]["balanced_accuracy"])
        lines += [f"as if there were no {classes[2]}: balanced accuracy {balanced}"]
    if "at_threshold" in card:
        part = card["at_threshold"]
        lines += ["", f"{classes[0]} from {part['threshold']} on: balanced accuracy {_text(part['balanced_accuracy'])}"]
    if "unsure" in card:
        (low, high), part = card["unsure"]["band"], card["unsure"]["of_the_rest"]
        lines += [
            "",
            f"between {low} and {high}, unsure: {card['unsure']['share']:.1%} of the faces; "
            f"balanced accuracy of the rest {_text(part['balanced_accuracy'])}",
        ]
    for size, part in card.get("boxes", {}).items():
        rows = [[f"boxes of {size} pixels and more" if size != "0" else "all boxes"]]
        rows[0] += ["marked", "found", "precision", "recall", "F1"]
        named = {"found at all": part["found"], "found and labelled right": part["labelled"], **part["by_class"]}
        for name, found in named.items():
            figures_of = (_text(found[key]) for key in ("precision", "recall", "f1"))
            rows.append([name, found["marked"], found["found"], *figures_of])
        lines += ["", *_table(rows)]
    for name, parts in card["slices"].items():
        named = [said for said in _flat(card) if said in _flat(parts[0]) and said != "accuracy"]
        rows = [[slices.WORDS[name], "faces", *named]]
        rows += [[_band(part), sum(part["faces"].values()), *(_text(_flat(part)[n]) for n in named)] for part in parts]
        lines += ["", *_table(rows)]
    lines += [
        "",
        "In brackets: 95 % intervals, drawn over groups. One that shrinks to a point does not mean certainty: it",
    ]
    lines += ["means too few faces to meet a rare mistake."]
    if "seconds" in card:
        looking, intervals = card["seconds"].values()
        lines += [
            f"{looking} s to look at the photos ({card['faces_per_second']} faces a second), {intervals} s for the intervals."
        ]
    return "\n".join(lines + ([f"\n{card['warning']}"] if card["warning"] else []))


def _with_intervals(metrics: dict, truth, probabilities, groups) -> dict:
    if not metrics or not len(truth):
        return {}
    centred = ("expected_calibration_error",)
    found = evaluation.with_intervals(metrics, truth, probabilities, groups, centred=centred)
    if len(set(groups)) < 2:  # drawn again and again, a single group is always the same
        found = {name: {**figure, "low": None, "high": None} for name, figure in found.items()}
    return found


def _box_figures(counts: np.ndarray, groups) -> dict:
    """Figures from right, found and marked counts `(photos, 3)`."""
    total = counts.sum(axis=0)
    drawn = np.array([counts[places].sum(axis=0) for places in evaluation.resamples(groups)])
    low, high = np.percentile(matching.precision_recall_f1(drawn), [2.5, 97.5], axis=0)
    several = len(set(groups)) > 1
    figures_of = {
        name: {
            "value": float(value),
            "low": float(low[n]) if several else None,
            "high": float(high[n]) if several else None,
        }
        for n, (name, value) in enumerate(
            zip(("precision", "recall", "f1"), matching.precision_recall_f1(total), strict=True)
        )
    }
    return {"marked": int(total[2]), "found": int(total[1]), **figures_of}


def _worse_than_chance(card: dict, n_classes: int) -> str | None:
    figure = card["balanced_accuracy"] or card["accuracy"]
    if figure is None:
        return None
    highest = figure["value"] if figure["high"] is None else figure["high"]
    return "Worse than chance: are the labels swapped?" if highest < 1 / n_classes else None


def _missing_classes(card: dict, classes) -> list[str]:
    missing = [name for name in classes if not card["faces"][name]]
    if len(missing) == len(classes):
        return [f"There are no faces of the classes {', '.join(classes)}: nothing to be right or wrong about."]
    if len(classes) - len(missing) == 1:
        return [
            f"No faces of {', '.join(missing)}: without a second class there is no balanced accuracy, no ROC curve."
        ]
    return [f"No faces of {', '.join(missing)}."] if missing else []


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


def _text(figure: dict | None) -> str:
    if figure is None:
        return "–"
    interval = f" ({figure['low']:.3f}–{figure['high']:.3f})" if figure["low"] is not None else ""
    return f"{figure['value']:.3f}{interval}"


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
