"""Boxes of faces, (x, y, width, height) in pixels of the frame: cut, clip, overlap, match."""

from collections.abc import Sequence

import numpy as np


def clip_box(box: Sequence[float], shape: Sequence[int]) -> tuple[int, int, int, int] | None:
    """The part of a box (x, y, width, height) within a frame of this shape, in whole pixels; None if nothing is."""
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(shape[1], round(box[0] + box[2])), min(shape[0], round(box[1] + box[3]))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def crop_face(frame: np.ndarray, box: Sequence[float], margin: float) -> np.ndarray:
    """Cut a box (x, y, width, height, in pixels) out of a frame, with `margin` box sizes more on each side.

    What the classifier sees of a face, in training, evaluation and live use alike: all of them come through here (and
    then through `photos.fit_to_input`). The frame's edge cuts it off. Returns a view, at least 1 pixel large.
    Raises ValueError if nothing of the box is in the frame.
    """
    x, y, width, height = box
    wider = (x - margin * width, y - margin * height, width * (1 + 2 * margin), height * (1 + 2 * margin))
    inside = clip_box(wider, frame.shape) if width > 0 and height > 0 else None
    if inside is None:
        raise ValueError(
            f"Nothing of the box {tuple(box)} is in this frame of {frame.shape[1]}×{frame.shape[0]} pixels."
        )
    left, top, width, height = inside
    return frame[top : top + height, left : left + width]


def iou(box, other) -> float:
    """Intersection over union of two boxes (x, y, width, height); for arrays of boxes see `iou_matrix`."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (box[2] * box[3] + other[2] * other[3] - width * height)


MIN_IOU = 0.5  # intersection over union, as usual since PASCAL VOC (Everingham et al., 2010)


def match(found: np.ndarray, marked: np.ndarray, min_iou: float = MIN_IOU) -> np.ndarray:
    """For each found box the number of the marked box that it lies on, −1 for none; no marked box is given twice.

    found, marked: (x, y, width, height), (n, 4) and (m, 4). Pairs overlap by at least `min_iou`; of all ways to
    pair them up, the one with the largest overlap in sum.
    """
    from scipy.optimize import linear_sum_assignment

    partners = np.full(len(found), -1)
    if len(found) and len(marked):
        overlap = iou_matrix(np.asarray(found, float), np.asarray(marked, float))
        overlap[overlap < min_iou] = 0
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        paired = overlap[rows, columns] > 0
        partners[rows[paired]] = columns[paired]
    return partners


def iou_matrix(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each of n boxes (x, y, width, height) with each of m others, as (n, m)."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], others[:, :2] + others[:, 2:])
    sides = np.maximum(high - low, 0)
    common = sides[..., 0] * sides[..., 1]
    total = (boxes[:, 2] * boxes[:, 3])[:, None] + others[:, 2] * others[:, 3] - common
    return common / np.maximum(total, 1e-9)
