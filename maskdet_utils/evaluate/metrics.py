"""The scores of a classifier on a set of faces, with 95% intervals, by size and by subgroup, as one dictionary."""

from functools import partial

import numpy as np

from .. import evaluation
from ..classifier import at_threshold
from ..datasets import WORN_WRONG
from . import subgroups
from .calibration import expected_calibration_error
from .matching import MIN_IOU, iou_matrix, match

SIZES = (24, 48)  # pixels; the report also scores only the faces whose shorter side is at least this long
OF_PROBABILITIES = ("roc_auc", "expected_calibration_error")  # all other scores depend only on the labels
SMALLEST_BOXES = (0, 20)  # pixels of the shorter side; ground-truth boxes are scored with and without tiny ones


def metrics_report(predictions, config: dict) -> dict:
    """Score a classifier's predictions and collect everything that `maskdet evaluate` reports.

    Args:
        predictions: See `folder.Predictions`.
        config: The classifier's config, see `classifier.read_config`.

    Returns:
        A dictionary that can be saved as JSON. It has the scores of all faces, see `face_scores`, and these keys:

        - `classes`, `notes` (sentences for the reader), and `warning` (a sentence if the classifier is worse than
          chance, else None).
        - `groups`: how many there are, and where they come from.
        - `photos`: how many could be read; `left_out`: those that could not.
        - `by_size`: the scores again, for faces of at least 24 and at least 48 pixels.
        - `slices`: for each measure in `subgroups.BINS`, a list of bins with their edges `from` and `to` and their
          short scores.
        - `at_threshold`: the short scores at the config's threshold, if that is not 0.5.
        - `unsure`: the fraction of faces in the config's unsure range, and the short scores of the other faces, if the
          config has such a range.
        - `two_classes`: the scores as if the third class did not exist, if there are three.
        - `mask_or_not`: the scores of the faces in the first two classes if only "first class or not" counts, if there are
          three classes.
        - `without_face` for whole photos, and `boxes` (see `box_scores`) for whole photos with ground-truth boxes.
    """
    classes, table, probabilities = config["classes"], predictions.faces, np.asarray(predictions.probabilities)
    labels, groups = table["label"].to_numpy(object), table["group"].to_numpy(object)

    def scores_of(chosen, short=False, threshold=0.5):
        return face_scores(
            labels[chosen], probabilities[chosen], groups[chosen], classes, short=short, threshold=threshold
        )

    everyone = np.ones(len(table), bool)
    all_faces, by_size, by_subgroup, more = scores_of(everyone), {}, {}, {}
    for size in SIZES:
        large = table["face_size"].to_numpy(float) >= size
        by_size[str(size)] = all_faces if large.all() else scores_of(large)
    for name in (name for name in subgroups.BINS if name in table):
        by_subgroup[name] = [
            {"from": low, "to": high, **scores_of(inside, short=True)}
            for low, high, inside in subgroups.bins(name, table[name].to_numpy(float))
        ]
    if config["threshold"] != 0.5:
        threshold = config["threshold"]
        more["at_threshold"] = {"threshold": threshold, **scores_of(everyone, short=True, threshold=threshold)}
    if "unsure" in config:
        low, high = config["unsure"]
        sure = (probabilities[:, 0] <= low) | (probabilities[:, 0] >= high)
        rest = scores_of(sure, short=True)
        more["unsure"] = {"band": [low, high], "share": float((~sure).mean()), "of_the_rest": rest}
    if len(classes) > 2:
        of_two = np.isin(labels, classes[:2])
        of_first_two = probabilities[of_two, :2]
        of_first_two = of_first_two / np.maximum(of_first_two.sum(axis=1, keepdims=True), 1e-9)
        more["two_classes"] = face_scores(labels[of_two], of_first_two, groups[of_two], classes[:2])
        more["mask_or_not"] = face_scores(labels, first_or_not(probabilities), groups, classes[:2])
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
        "slices": by_subgroup,
        **more,
    }


def first_or_not(probabilities: np.ndarray) -> np.ndarray:
    """Return the probability of the first class, and of all the others together: from `(n, classes)` to `(n, 2)`."""
    return np.stack([probabilities[:, 0], 1 - probabilities[:, 0]], axis=1)


def face_scores(labels, probabilities, groups, classes, *, short: bool = False, threshold: float = 0.5) -> dict:
    """Score some faces, with 95% intervals over groups.

    The predicted class follows from `classifier.at_threshold`. If `worn_incorrectly` is not one of the classes, its
    faces do not count toward the scores. They get one score of their own: the fraction of them that is assigned to the
    first class.

    Args:
        labels: The true classes, str `(n,)`.
        probabilities: `(n, classes)`.
        groups: The group of each face, `(n,)`.
        classes: The classifier's classes.
        short: True for fewer scores, as in subgroups.
        threshold: The threshold for the probability of the first class.

    Returns:
        A dictionary that can be saved as JSON: `faces` (counts by class), `accuracy`, `balanced_accuracy`, and `recall`
        by class. Unless `short`, it also has `roc_auc` (of the first class against the rest),
        `expected_calibration_error` (15 bins with equally many faces), `macro_f1` (for three classes only), and
        `confusion` (rows are true classes, columns predicted ones).

        A score is `{"value", "low", "high"}`, or None if these faces do not have it. `low` and `high` are None if all
        faces are in one group.
    """
    known = np.isin(labels, classes)
    truth = np.array([classes.index(label) for label in labels[known]], int)
    of_known = probabilities[known]
    decided = at_threshold(of_known, threshold)
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
    computable = {name: metric for name, metric in metrics.items() if name in possible} | recalls
    scores = {}
    for given, is_about_labels in ((decided, True), (of_known, False)):
        chosen = {name: one for name, one in computable.items() if (name not in OF_PROBABILITIES) == is_about_labels}
        scores |= _with_intervals(chosen, truth, given, groups[known])
    report = {
        "faces": {name: int((labels == name).sum()) for name in dict.fromkeys([*classes, WORN_WRONG])},
        **{name: scores.get(name) for name in metrics},
        "recall": {name: scores.get(f"recall {name}") for name in classes},
    }
    if not short:
        report["confusion"] = evaluation.confusion(truth, decided).tolist()
    if WORN_WRONG not in classes:
        incorrect = labels == WORN_WRONG
        metric, zeros = {"share": partial(recall, label=0)}, np.zeros(incorrect.sum(), int)
        scores_of_them = at_threshold(probabilities[incorrect], threshold)
        share = _with_intervals(metric, zeros, scores_of_them, groups[incorrect]).get("share")
        report[f"{WORN_WRONG}_called_{classes[0]}"] = share
    return report


def box_scores(counts: np.ndarray, groups, classes) -> dict:
    """Score found faces against ground-truth boxes: precision, recall, and F1, with 95% intervals over groups.

    Args:
        counts: The counts of `count_boxes` for each photo and each of `SMALLEST_BOXES`, `(photos, sizes, classes + 1,
            3)`.
        groups: The group of each photo, `(photos,)`.
        classes: The classifier's classes.

    Returns:
        A dictionary for each of `SMALLEST_BOXES`, with the size as text ("0", "20"): `found` (only the position
        counts), `labeled` (position and label count, all classes together), and `by_class`. Each holds `marked` and
        `found` (the numbers of ground-truth boxes and found boxes), `precision`, `recall`, and `f1`.
    """
    report = {}
    for number, size in enumerate(SMALLEST_BOXES):
        of_size = counts[:, number]
        report[str(size)] = {
            "found": _box_scores(of_size[:, -1], groups),
            "labeled": _box_scores(of_size[:, :-1].sum(axis=1), groups),
            "by_class": {name: _box_scores(of_size[:, label], groups) for label, name in enumerate(classes)},
        }
    return report


def _with_intervals(metrics: dict, truth, probabilities, groups) -> dict:
    """Like `evaluation.with_intervals`, but no scores without faces, and no intervals from a single group."""
    if not metrics or not len(truth):
        return {}
    centered = ("expected_calibration_error",)
    scores = evaluation.with_intervals(metrics, truth, probabilities, groups, centered=centered)
    if len(set(groups)) < 2:  # every resample of a single group is the same
        scores = {name: {**score, "low": None, "high": None} for name, score in scores.items()}
    return scores


def _box_scores(counts: np.ndarray, groups) -> dict:
    """Scores from the counts of correct, found, and ground-truth boxes, `(photos, 3)`."""
    total = counts.sum(axis=0)
    table = [precision_recall_f1(total).tolist(), [None] * 3, [None] * 3]
    if len(set(groups)) > 1:  # every resample of a single group is the same
        resampled = np.array([counts[rows].sum(axis=0) for rows in evaluation.resamples(groups)])
        table[1:] = np.percentile(precision_recall_f1(resampled), [2.5, 97.5], axis=0).tolist()
    scores = [dict(zip(("value", "low", "high"), column, strict=True)) for column in zip(*table, strict=True)]
    named = dict(zip(("precision", "recall", "f1"), scores, strict=True))
    return {"marked": int(total[2]), "found": int(total[1]), **named}


def _worse_than_chance(report: dict, n_classes: int) -> str | None:
    score = report["balanced_accuracy"] or report["accuracy"]
    if score is None:
        return None
    highest = score["value"] if score["high"] is None else score["high"]
    return "Worse than chance: are the labels swapped?" if highest < 1 / n_classes else None


def _missing_classes(report: dict, classes) -> list[str]:
    missing = [name for name in classes if not report["faces"][name]]
    if len(missing) == len(classes):
        return [f"There are no faces of the classes {', '.join(classes)}, so there is nothing to score."]
    if len(classes) - len(missing) == 1:
        return [
            f"No faces of {', '.join(missing)}. Without a second class, there is no balanced accuracy and no ROC curve."
        ]
    return [f"No faces of {', '.join(missing)}."] if missing else []


def count_boxes(
    found, found_labels, ground_truth, true_labels, classes, *, smallest: float = 0, min_overlap: float = MIN_IOU
) -> np.ndarray:
    """Count correct, found, and ground-truth boxes in one photo.

    Some ground-truth boxes are neutral: it is neither right nor wrong to find them. These are boxes of a class that the
    classifier does not know, and boxes with a side below `smallest`. A found box that lies on a neutral box is not
    counted. The same is true of a found box with a side below `smallest` that lies on no ground-truth box.

    Args:
        found: The found boxes, (x, y, width, height) in pixels.
        found_labels: Their predicted classes.
        ground_truth: The ground-truth boxes, (x, y, width, height) in pixels.
        true_labels: Their classes.
        classes: The classifier's classes.
        smallest: The smallest side of a box that counts, in pixels.
        min_overlap: The smallest intersection over union at which a found box lies on a ground-truth box.

    Returns:
        Int `(classes + 1, 3)`: the number of correct, found, and ground-truth boxes of each class. The last row counts
        all classes together, and there a found box is correct even if its label is wrong.
    """
    found, ground_truth = np.reshape(found, (-1, 4)).astype(float), np.reshape(ground_truth, (-1, 4)).astype(float)
    neutral = np.array([label not in classes for label in true_labels], bool) | (ground_truth[:, 2:].min(1) < smallest)
    partners = match(found, ground_truth, min_overlap)
    ignored = np.where(partners >= 0, neutral[partners] if len(ground_truth) else False, found[:, 2:].min(1) < smallest)
    if neutral.any():
        ignored |= (partners < 0) & (iou_matrix(found, ground_truth[neutral]) >= min_overlap).any(axis=1)
    counts = np.zeros((len(classes) + 1, 3), int)
    for number, label in enumerate(classes):
        of_label = ~ignored & (np.array(found_labels, object) == label)
        correct = [partner for partner in partners[of_label & (partners >= 0)] if true_labels[partner] == label]
        counts[number] = len(correct), of_label.sum(), (~neutral & (np.array(true_labels, object) == label)).sum()
    counts[-1] = (~ignored & (partners >= 0)).sum(), *counts[:-1, 1:].sum(axis=0)
    return counts


def precision_recall_f1(counts: np.ndarray) -> np.ndarray:
    """Compute precision, recall, and F1 from counts.

    Args:
        counts: The number of correct, found, and ground-truth boxes, `(…, 3)`.

    Returns:
        Float `(…, 3)`, 0 to 1. A score without any boxes is 0.
    """
    correct, found, ground_truth = np.moveaxis(np.asarray(counts, float), -1, 0)
    scores = (
        correct / np.maximum(found, 1),
        correct / np.maximum(ground_truth, 1),
        2 * correct / np.maximum(found + ground_truth, 1),
    )
    return np.stack(scores, axis=-1)


def macro_f1(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean of F1 over the classes in `truth`. F1 is the harmonic mean of a class's precision and recall."""
    counts = evaluation.confusion(truth, probabilities)
    in_truth, predicted = counts.sum(axis=1), counts.sum(axis=0)
    return float((2 * counts.diagonal() / np.maximum(in_truth + predicted, 1))[in_truth > 0].mean())


def recall(truth: np.ndarray, probabilities: np.ndarray, label: int) -> float:
    """The fraction of the photos of class number `label` that the classifier assigns to this class."""
    return float((probabilities[truth == label].argmax(axis=1) == label).mean())
