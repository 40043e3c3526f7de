"""Face boxes, (x, y, width, height) in pixels of the frame: clip, crop, and overlap."""

from collections.abc import Sequence

import numpy as np


def clip_box(box: Sequence[float], shape: Sequence[int]) -> tuple[int, int, int, int] | None:
    """Clip a box to a frame and round it to whole pixels.

    Args:
        box: (x, y, width, height) in pixels.
        shape: The frame's (height, width), as at the start of its array's shape.

    Returns:
        The part of the box inside the frame, or None if the whole box lies outside.

    Introduced in notebook 06.
    """
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(shape[1], round(box[0] + box[2])), min(shape[0], round(box[1] + box[3]))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def crop_face(frame: np.ndarray, box: Sequence[float], margin: float) -> np.ndarray:
    """Crop a face out of a frame, with a margin on each side.

    This is what the classifier sees of a face. Training, evaluation, and live use all crop with this function, and then
    resize with `photos.fit_to_input`.

    Args:
        frame: Pixels, `(height, width, 3)`.
        box: (x, y, width, height) in pixels.
        margin: What to add on each side, as a fraction of the box's width and height. The crop ends at the frame's
            edge.

    Returns:
        A view into the frame, at least 1 pixel wide and high.

    Raises:
        ValueError: The box with its margin lies outside the frame, or its width or height is not positive.

    Introduced in notebook 06.
    """
    x, y, width, height = box
    expanded = (x - margin * width, y - margin * height, width * (1 + 2 * margin), height * (1 + 2 * margin))
    inside = clip_box(expanded, frame.shape) if width > 0 and height > 0 else None
    if inside is None:
        raise ValueError(
            f"The box {tuple(box)} does not overlap this frame of {frame.shape[1]}×{frame.shape[0]} pixels."
        )
    left, top, width, height = inside
    return frame[top : top + height, left : left + width]


def iou(box: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (x, y, width, height). For arrays of boxes, see `evaluate.matching`.

    Introduced in notebook 06.
    """
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (box[2] * box[3] + other[2] * other[3] - width * height)
