"""Match found boxes with ground-truth boxes. A box is (x, y, width, height) in pixels of the photo."""

import numpy as np

MIN_IOU = 0.5  # the usual threshold since PASCAL VOC (Everingham et al., 2010)


def match(found: np.ndarray, ground_truth: np.ndarray, min_iou: float = MIN_IOU) -> np.ndarray:
    """Match found boxes with ground-truth boxes, one to one.

    Of all ways to pair them up, this function takes the one with the largest sum of overlaps.

    Args:
        found: (x, y, width, height) of each detected face, `(n, 4)`.
        ground_truth: (x, y, width, height) of each ground-truth face, `(m, 4)`.
        min_iou: The smallest intersection over union at which two boxes may be paired.

    Returns:
        For each found box, the index of its ground-truth box, or −1 if it has none: int `(n,)`.
    """
    from scipy.optimize import linear_sum_assignment

    partners = np.full(len(found), -1)
    if len(found) and len(ground_truth):
        overlap = iou_matrix(np.asarray(found, float), np.asarray(ground_truth, float))
        overlap[overlap < min_iou] = 0
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        paired = overlap[rows, columns] > 0
        partners[rows[paired]] = columns[paired]
    return partners


def iou_matrix(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each box with each other box.

    Args:
        boxes: (x, y, width, height), `(n, 4)`.
        others: (x, y, width, height), `(m, 4)`.

    Returns:
        Float `(n, m)`, 0 to 1.
    """
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], others[:, :2] + others[:, 2:])
    sides = np.maximum(high - low, 0)
    intersection = sides[..., 0] * sides[..., 1]
    union = (boxes[:, 2] * boxes[:, 3])[:, None] + others[:, 2] * others[:, 3] - intersection
    return intersection / np.maximum(union, 1e-9)
