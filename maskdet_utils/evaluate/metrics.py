"""The scores of a classifier on a set of faces, with 95% intervals, by size and by subgroup, as one dictionary."""

from functools import partial

import numpy as np

from .. import evaluation
from ..boxes import MIN_IOU, iou_matrix, match
from ..classifier import at_threshold
from ..datasets import WORN_WRONG
from . import subgroups
from .calibration import expected_calibration_error

SIZES = (24, 48)  # pixels: the figures are given for faces of at least so many, too
SMALLEST_BOXES = (
    0,
    20,
)  # pixels of the shorter side: figures on ground_truth boxes are given for all and without tiny ones


def metrics_report(predictions, config: dict) -> dict:
    """All that there is to say about a `judge.Seen`; labels: the run's, see `classifier.read_config`.

    The dictionary has the `figures` of all faces, and the same `by_size` for faces of at least 24 and 48 pixels;
    `slices`: for each measure of `subgroups.BINS` a list of bands, with `from`, `to` and short figures; `warning`, a
    sentence if the classifier is worse than chance, else None; `notes`; `groups`, `left_out` and, for whole photos,
    `photos`, `without_face` and `boxes` (see `box_scores`). If `labels` has a threshold other than 0.5, `at_threshold`;
    if it has a band `unsure`, the share of faces in it and the short figures of the rest; if it has three classes,
    `two_classes`: the figures without the third one, as if there were no such class.
    """
    classes, table, probabilities = config["classes"], predictions.faces, np.asarray(predictions.probabilities)
    names, groups = table["label"].to_numpy(object), table["group"].to_numpy(object)

    def of(chosen, short=False, given=probabilities):
        return face_scores(names[chosen], given[chosen], groups[chosen], classes, short)

    everyone = np.ones(len(table), bool)
    all_faces, by_size, by_slice, more = of(everyone), {}, {}, {}
    for size in SIZES:
        large = table["face_size"].to_numpy(float) >= size
        by_size[str(size)] = all_faces if large.all() else of(large)
    for name in (name for name in subgroups.BINS if name in table):
        by_slice[name] = [
            {"from": low, "to": high, **of(inside, short=True)}
            for low, high, inside in subgroups.bins(name, table[name].to_numpy(float))
        ]
    if config["threshold"] != 0.5:
        moved = at_threshold(probabilities, config["threshold"])
        more["at_threshold"] = {"threshold": config["threshold"], **of(everyone, short=True, given=moved)}
    if "unsure" in config:
        low, high = config["unsure"]
        sure = (probabilities[:, 0] <= low) | (probabilities[:, 0] >= high)
        more["unsure"] = {"band": [low, high], "share": float((~sure).mean()), "of_the_rest": of(sure, short=True)}
    if len(classes) > 2:
        two = np.isin(names, classes[:2])
        shares = probabilities[two, :2] / np.maximum(probabilities[two, :2].sum(axis=1, keepdims=True), 1e-9)
        more["two_classes"] = face_scores(names[two], shares, groups[two], classes[:2])
    if predictions.boxes is not None:
        more["boxes"] = box_scores(predictions.boxes, predictions.box_groups, classes)
    if predictions.without_face is not None:
        more["without_face"] = {"count": len(predictions.without_face), "photos": predictions.without_face}
    warning = _worse_than_chance(all_faces, len(classes))
    return {
        "classes": classes,
        "warning": warning,
        "notes": predictions.notes + _missing_classes(all_faces, classes),
        "groups": {"count": len(set(groups)), "from": predictions.groups_from},
        "photos": predictions.photos,
        "left_out": {"count": len(predictions.left_out), "photos": predictions.left_out},
        **all_faces,
        "by_size": by_size,
        "slices": by_slice,
        **more,
    }


def face_scores(labels, probabilities, groups, classes, short: bool = False) -> dict:
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
    of_known = probabilities[known]
    counts = np.bincount(truth, minlength=len(classes))
    metrics = {"accuracy": evaluation.accuracy, "balanced_accuracy": evaluation.balanced_accuracy}
    if not short:
        metrics["roc_auc"] = evaluation.roc_auc
        metrics["expected_calibration_error"] = expected_calibration_error
        if len(classes) > 2:
            metrics["macro_f1"] = macro_f1
    possible = {"accuracy", "expected_calibration_error"} if counts.any() else set()
    if np.count_nonzero(counts) > 1:
        possible |= {"balanced_accuracy", "macro_f1"} | ({"roc_auc"} if counts[0] else set())
    recalls = {f"recall {name}": partial(recall, label=n) for n, name in enumerate(classes) if counts[n]}
    asked_for = {name: metric for name, metric in metrics.items() if name in possible} | recalls
    found = _with_intervals(asked_for, truth, of_known, groups[known])
    answer = {
        "faces": {name: int((labels == name).sum()) for name in dict.fromkeys([*classes, WORN_WRONG])},
        **{name: found.get(name) for name in metrics},
        "recall": {name: found.get(f"recall {name}") for name in classes},
    }
    if not short:
        answer["confusion"] = evaluation.confusion(truth, of_known).tolist()
    if WORN_WRONG not in classes:
        wrong = labels == WORN_WRONG
        metric = {"share": partial(recall, label=0)}
        share = _with_intervals(metric, np.zeros(wrong.sum(), int), probabilities[wrong], groups[wrong]).get("share")
        answer[f"{WORN_WRONG}_called_{classes[0]}"] = share
    return answer


def box_scores(counts: np.ndarray, groups, classes) -> dict:
    """Found and labelled right: precision, recall and F1 with intervals, from `count_boxes` of each photo.

    counts: `(photos, sizes, classes + 1, 3)`. Gives for each of `SMALLEST_BOXES` ("0", "20": only boxes with a side of
    at least so many pixels) `found` (position only, whatever the label), `labelled` (position and label, all classes
    together) and `by_class`, each with `ground_truth` and `found` (counts), `precision`, `recall` and `f1`.
    """
    answer = {}
    for number, size in enumerate(SMALLEST_BOXES):
        of_size = counts[:, number]
        answer[str(size)] = {
            "found": _box_scores(of_size[:, -1], groups),
            "labelled": _box_scores(of_size[:, :-1].sum(axis=1), groups),
            "by_class": {name: _box_scores(of_size[:, place], groups) for place, name in enumerate(classes)},
        }
    return answer


def _with_intervals(metrics: dict, truth, probabilities, groups) -> dict:
    if not metrics or not len(truth):
        return {}
    centered = ("expected_calibration_error",)
    found = evaluation.with_intervals(metrics, truth, probabilities, groups, centered=centered)
    if len(set(groups)) < 2:  # drawn again and again, a single group is always the same
        found = {name: {**score, "low": None, "high": None} for name, score in found.items()}
    return found


def _box_scores(counts: np.ndarray, groups) -> dict:
    """Figures from right, found and ground_truth counts `(photos, 3)`."""
    total = counts.sum(axis=0)
    drawn = np.array([counts[places].sum(axis=0) for places in evaluation.resamples(groups)])
    low, high = np.percentile(precision_recall_f1(drawn), [2.5, 97.5], axis=0)
    several = len(set(groups)) > 1
    scores = {
        name: {
            "value": float(value),
            "low": float(low[n]) if several else None,
            "high": float(high[n]) if several else None,
        }
        for n, (name, value) in enumerate(zip(("precision", "recall", "f1"), precision_recall_f1(total), strict=True))
    }
    return {"marked": int(total[2]), "found": int(total[1]), **scores}


def _worse_than_chance(report: dict, n_classes: int) -> str | None:
    score = report["balanced_accuracy"] or report["accuracy"]
    if score is None:
        return None
    highest = score["value"] if score["high"] is None else score["high"]
    return "Worse than chance: are the labels swapped?" if highest < 1 / n_classes else None


def _missing_classes(report: dict, classes) -> list[str]:
    missing = [name for name in classes if not report["faces"][name]]
    if len(missing) == len(classes):
        return [f"There are no faces of the classes {', '.join(classes)}: nothing to be right or wrong about."]
    if len(classes) - len(missing) == 1:
        return [
            f"No faces of {', '.join(missing)}: without a second class there is no balanced accuracy, no ROC curve."
        ]
    return [f"No faces of {', '.join(missing)}."] if missing else []


def count_boxes(found, found_labels, ground_truth, true_labels, classes, *, smallest: float = 0) -> np.ndarray:
    """Counts for one photo, int `(classes + 1, 3)`: right, found and ground_truth boxes of each class.

    The last row is about all classes together, and there a found face is right whatever its label. found, ground_truth:
    boxes (x, y, width, height). Neutral are ground_truth boxes of another class and those with a side below `smallest`
    pixels: to find them is neither right nor wrong. Nor is a face smaller than that, where no box is ground_truth.
    """
    found, ground_truth = np.reshape(found, (-1, 4)).astype(float), np.reshape(ground_truth, (-1, 4)).astype(float)
    neutral = np.array([label not in classes for label in true_labels], bool) | (ground_truth[:, 2:].min(1) < smallest)
    partners = match(found, ground_truth)
    ignored = np.where(partners >= 0, neutral[partners] if len(ground_truth) else False, found[:, 2:].min(1) < smallest)
    if neutral.any():
        ignored |= (partners < 0) & (iou_matrix(found, ground_truth[neutral]) >= MIN_IOU).any(axis=1)
    counts = np.zeros((len(classes) + 1, 3), int)
    for number, label in enumerate(classes):
        of_label = ~ignored & (np.array(found_labels, object) == label)
        right = [place for place in partners[of_label & (partners >= 0)] if true_labels[place] == label]
        counts[number] = len(right), of_label.sum(), (~neutral & (np.array(true_labels, object) == label)).sum()
    counts[-1] = (~ignored & (partners >= 0)).sum(), *counts[:-1, 1:].sum(axis=0)
    return counts


def precision_recall_f1(counts: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 (float, in the last place) from right, found and ground_truth counts; 0 where there are none."""
    right, found, ground_truth = np.moveaxis(np.asarray(counts, float), -1, 0)
    parts = (
        right / np.maximum(found, 1),
        right / np.maximum(ground_truth, 1),
        2 * right / np.maximum(found + ground_truth, 1),
    )
    return np.stack(parts, axis=-1)


def macro_f1(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean, over the classes that occur in `truth`, of F1: the harmonic mean of a class's precision and recall."""
    counts = evaluation.confusion(truth, probabilities)
    in_truth, called = counts.sum(axis=1), counts.sum(axis=0)
    return float((2 * counts.diagonal() / np.maximum(in_truth + called, 1))[in_truth > 0].mean())


def recall(truth: np.ndarray, probabilities: np.ndarray, label: int) -> float:
    """The share of the photos of class number `label` that are taken for it."""
    return float((probabilities[truth == label].argmax(axis=1) == label).mean())
