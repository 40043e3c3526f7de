"""Faces found in whole photos against boxes that somebody marked: found, and labelled right?"""

import numpy as np

MIN_OVERLAP = 0.5  # intersection over union, as usual since PASCAL VOC (Everingham et al., 2010)


def match(found: np.ndarray, marked: np.ndarray, min_overlap: float = MIN_OVERLAP) -> np.ndarray:
    """For each found box the number of the marked box that it lies on, −1 for none; no marked box is given twice.

    found, marked: (x, y, width, height), (n, 4) and (m, 4). Pairs overlap by at least `min_overlap`; of all ways to
    pair them up, the one with the largest overlap in sum.
    """
    from scipy.optimize import linear_sum_assignment

    partners = np.full(len(found), -1)
    if len(found) and len(marked):
        overlap = overlaps(np.asarray(found, float), np.asarray(marked, float))
        overlap[overlap < min_overlap] = 0
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        paired = overlap[rows, columns] > 0
        partners[rows[paired]] = columns[paired]
    return partners


def count(found, found_labels, marked, marked_labels, classes, smallest: float = 0) -> np.ndarray:
    """Counts for one photo, int `(classes + 1, 3)`: right, found and marked boxes of each class.

    The last row is about all classes together, and there a found face is right whatever its label. found, marked:
    boxes (x, y, width, height). Neutral are marked boxes of another class and those with a side below `smallest`
    pixels: to find them is neither right nor wrong. Nor is a face smaller than that, where no box is marked.
    """
    found, marked = np.reshape(found, (-1, 4)).astype(float), np.reshape(marked, (-1, 4)).astype(float)
    neutral = np.array([label not in classes for label in marked_labels], bool) | (marked[:, 2:].min(1) < smallest)
    partners = match(found, marked)
    ignored = np.where(partners >= 0, neutral[partners] if len(marked) else False, found[:, 2:].min(1) < smallest)
    if neutral.any():
        ignored |= (partners < 0) & (overlaps(found, marked[neutral]) >= MIN_OVERLAP).any(axis=1)
    counts = np.zeros((len(classes) + 1, 3), int)
    for number, label in enumerate(classes):
        of_label = ~ignored & (np.array(found_labels, object) == label)
        right = [place for place in partners[of_label & (partners >= 0)] if marked_labels[place] == label]
        counts[number] = len(right), of_label.sum(), (~neutral & (np.array(marked_labels, object) == label)).sum()
    counts[-1] = (~ignored & (partners >= 0)).sum(), *counts[:-1, 1:].sum(axis=0)
    return counts


def precision_recall_f1(counts: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 (float, in the last place) from right, found and marked counts; 0 where there are none."""
    right, found, marked = np.moveaxis(np.asarray(counts, float), -1, 0)
    parts = right / np.maximum(found, 1), right / np.maximum(marked, 1), 2 * right / np.maximum(found + marked, 1)
    return np.stack(parts, axis=-1)


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each of n boxes (x, y, width, height) with each of m others, as (n, m)."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], others[:, :2] + others[:, 2:])
    sides = np.maximum(high - low, 0)
    common = sides[..., 0] * sides[..., 1]
    total = (boxes[:, 2] * boxes[:, 3])[:, None] + others[:, 2] * others[:, 3] - common
    return common / np.maximum(total, 1e-9)
