"""Label all faces of a frame so that no label hides a face, and keep the labels in their places in a video.

Each face gets a sign in the style of its class, such as a check mark. Then the sign becomes text where there is room
for it. A legend at the frame's edge explains the signs that are left. The panel and the web page do the same in
`labels.js`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .. import drawing

SIGNS = dict(zip((*drawing.STYLES, *drawing.NEUTRAL_STYLES, drawing.UNSURE_STYLE), "✓✗!ABC?", strict=True))
STROKES = {  # of signs that OpenCV's font does not have: corners in fractions of the sign's side
    "✓": [[(0.24, 0.54), (0.42, 0.72), (0.78, 0.28)]],
    "✗": [[(0.27, 0.27), (0.73, 0.73)], [(0.73, 0.27), (0.27, 0.73)]],
}
SIZES = 4  # of texts
INSIDE = 12  # the places from this number on are on the face itself
PATIENCE = 15  # frames for which there must have been room for a text before it replaces a sign in a video
LEGEND_COLOR = (40, 40, 40)


@dataclass(frozen=True)
class Label:
    """What is drawn at a face, and where.

    Attributes:
        text: such as "with mask 98%", or "" for a sign.
        box: (left, top, width, height) in pixels.
        letter: the height of a capital letter in pixels; 0 for a sign.
        size: the number of its size, see `letters`.
        place: the number of its place at the face, see `places`.
        roomy: for how many frames there has been room for a text instead of this sign.
    """

    text: str
    box: tuple[int, int, int, int]
    letter: int
    size: int
    place: int
    roomy: int = 0


class Labels:
    """Draw boxes and labels. Use one object for all frames of a video, because it remembers where the labels were.

    Args:
        classes: the names of the classes.
        mask_class: the one that means "mask", see `classifier.by_meaning`.
    """

    def __init__(self, classes, mask_class: str | None = None):
        self.styles = {**drawing.styles_of(classes, mask_class), "unsure": drawing.UNSURE_STYLE}
        self._before: dict[int, Label] = {}  # each person's last label, by track number
        self._explained: set[str] = set()  # what the legend explains. Once there, it stays, so that it does not flicker
        self._legend: list[tuple[str, tuple[int, int, int, int]]] = []  # see `_place_legend`
        self._spot = 0  # the number of the legend's place

    def draw(self, frame: np.ndarray, detections) -> np.ndarray:
        """Draw a box and a label for each detection.

        Args:
            frame: RGB uint8 (height, width, 3).
            detections: a list of `detector.Detection`. In a video, they have track numbers.

        Returns:
            A marked copy of the frame.
        """
        marked = drawing.draw_boxes(frame, detections, self.styles)
        labels = self.place(detections, frame.shape)
        for detection, label in zip(detections, labels, strict=True):
            style = self.styles.get(detection.label, drawing.UNSURE_STYLE)
            if label.text:
                drawing.write(marked, label.text, label.box[:2], label.letter, style[0])
            else:
                draw_sign(marked, style, label.box)
        for name, (left, top, width, side) in self._legend:
            cv2.rectangle(marked, (left, top), (left + width - 1, top + side - 1), LEGEND_COLOR, cv2.FILLED)
            draw_sign(marked, self.styles[name], (left, top, side, side))
            drawing.write(marked, name.replace("_", " "), (left + side, top), _legend_letter(frame.shape), LEGEND_COLOR)
        return marked

    def place(self, detections, shape: Sequence[int]) -> list[Label]:
        """Find a place for the label of each detection in a frame of this (height, width)."""
        faces, texts = [face.box for face in detections], [drawing.caption(face) for face in detections]
        before = [self._before.get(face.track) for face in detections]
        for _ in range(2):  # texts give way to the legend
            labels, old_legend = place(faces, texts, shape, before, [box for _, box in self._legend]), self._legend
            signs = {label.box: face.label for face, label in zip(detections, labels, strict=True) if not label.text}
            self._explained |= set(signs.values())
            self._legend = self._place_legend(faces, list(signs), shape)
            if self._legend == old_legend:
                break
        self._before |= {face.track: label for face, label in zip(detections, labels, strict=True) if face.track}
        return labels

    def _place_legend(self, faces, signs, shape) -> list[tuple[str, tuple[int, int, int, int]]]:
        """Return the class that each line of the legend explains, and the line's (left, top, width, height)."""
        names, letter = [name for name in self.styles if name in self._explained], _legend_letter(shape)
        side = int(1.8 * letter)  # of a sign, which is as high as a line of text
        widths = [side + drawing.label_size(name.replace("_", " "), letter)[0] for name in names]
        spots = list(_legend_spots(widths, side, shape)) if names else []
        if not spots:
            return []  # nothing to explain, or the frame is too small
        covered = _covered(np.array([box for box, _ in spots]), faces, signs)
        allowed = covered.min() + 0.05 * bool(self._before)  # in a video, it should not move too often
        if self._spot >= len(spots) or covered[self._spot] > allowed:
            self._spot = int(covered.argmin())
        (left, top, *_), is_row = spots[self._spot]
        lines = range(len(names))
        corners = [(left + sum(widths[:line]), top) if is_row else (left, top + line * side) for line in lines]
        return [(names[line], (*corners[line], widths[line], side)) for line in lines]


def place(boxes, texts: Sequence[str], shape: Sequence[int], before: Sequence[Label | None], legend=()) -> list[Label]:
    """Find a place for the label of each face: a text where it hides no face and no other label, or else a sign.

    Args:
        boxes: (x, y, width, height) of each face in pixels.
        texts: the text of each face.
        shape: the frame's (height, width).
        before: the label of each face in the last frame, or None. It stays in its place as long as that is free.
        legend: boxes that no text may hide.

    Returns:
        The label of each face.
    """
    faces = np.array(boxes, int).reshape(-1, 4)
    labels: dict[int, Label] = {}

    def free(number: int, text: str, size: int, old: Label | None = None) -> Label | None:
        """Return the label in the first place that is free, or only in its old place if there is one."""
        letter = letters(faces[number])[size] if text else 0
        if old and text and abs(old.letter - letter) <= letter / 5:
            letter = old.letter  # a face's width changes a little from frame to frame
        width, height = drawing.label_size(text, letter) if text else (sign_side(faces[number]),) * 2
        if width > shape[1] or height > shape[0]:
            return None
        spots = places(faces[number], (width, height), shape)
        is_strip = text and height <= faces[number][3] / 8 and width <= faces[number][2]
        others = np.vstack(
            [faces, *(label.box for other, label in labels.items() if other != number), *(legend if text else ())]
        )
        gaps = (0,) if old else (height // 2, 1)  # if possible, so far from others that it cannot be taken for theirs
        for gap in gaps:
            hidden = _overlap(spots + (-gap, -gap, 2 * gap, 2 * gap), others)
            hidden[:, number] = _overlap(spots, faces[number : number + 1])[:, 0]
            hidden[INSIDE:, number] = 0 if is_strip else 1  # only a narrow strip may lie on the face itself
            found = [spot for spot in np.flatnonzero(~hidden.any(axis=1)).tolist() if old is None or spot == old.place]
            if found:
                return Label(text, tuple(spots[found[0]].tolist()), letter, size, found[0])
        return None

    for number, old in enumerate(before):  # first, whoever can stay stays
        if old and (stays := free(number, old.text and texts[number], old.size, old)):
            labels[number] = replace(stays, roomy=old.roomy)
    for number in range(len(faces)):
        if number not in labels:
            labels[number] = free(number, "", 0) or _least_bad(number, faces, labels, shape)
    for number, text in enumerate(texts):
        if labels[number].text:
            continue
        roomy = labels[number].roomy + 1 if free(number, text, SIZES - 1) else 0
        labels[number] = replace(labels[number], roomy=roomy)
        if roomy >= (PATIENCE if before[number] and not before[number].text else 1):
            labels[number] = next(filter(None, (free(number, text, size) for size in range(SIZES))))
    return [labels[number] for number in range(len(faces))]


def places(face, size: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """List the places of a label of this (width, height) at a face, the best ones first.

    They are above, below, right, and left of the face (three each), and last on the face's upper and lower edge.

    Returns:
        (left, top, width, height) in pixels, all inside the frame if the label is not larger than the frame: int `(14, 4)`.
    """
    (x, y, face_width, face_height), (width, height) = face, size
    gap = 2 * drawing.sizes(face_width)[0] + 2  # room for the box's line
    across = (x - gap, x + (face_width - width) // 2, x + face_width + gap - width)
    down = (y - gap, y + (face_height - height) // 2, y + face_height + gap - height)
    corners = [(left, top) for top in (y - gap - height, y + face_height + gap) for left in across]
    corners += [(left, top) for left in (x + face_width + gap, x - gap - width) for top in down]
    corners += [(across[1], y), (across[1], y + face_height - height)]
    corners = np.clip(corners, 0, np.maximum(0, (shape[1] - width, shape[0] - height)))
    return np.hstack([corners, np.broadcast_to((width, height), corners.shape)])


def letters(face) -> list[int]:
    """Return how tall a capital letter in a face's text may be, in pixels, the best height first."""
    return [max(drawing.SMALLEST_LETTER, int(drawing.sizes(face[2])[1] * part)) for part in (1, 0.7, 0.5, 0)]


def _legend_letter(shape) -> int:
    return max(drawing.SMALLEST_LETTER, min(shape[:2]) // 50)


def sign_side(face) -> int:
    """Return the side of a face's sign in pixels."""
    return max(drawing.SMALLEST_LETTER, face[2] // 4)


def draw_sign(frame: np.ndarray, style, box) -> None:
    """Draw the sign of a style, white on its color."""
    (left, top, side, _), sign, width = box, SIGNS[style], max(1, round(box[2] / 9))
    cv2.rectangle(frame, (left, top), (left + side - 1, top + side - 1), style[0], cv2.FILLED)
    for stroke in STROKES.get(sign, []):
        corners = 16 * (np.array(stroke) * side + (left, top) - 0.5)  # sixteenths of pixels, see `shift`
        cv2.polylines(frame, [corners.round().astype(np.int32)], False, (255, 255, 255), width, cv2.LINE_AA, shift=4)
    if sign not in STROKES:
        scale = 0.6 * side / 21
        middle = (side - cv2.getTextSize(sign, drawing.FONT, scale, width)[0][0] + 1) // 2
        origin = left + middle, top + round(0.8 * side) - 1
        cv2.putText(frame, sign, origin, drawing.FONT, scale, (255, 255, 255), width, cv2.LINE_AA)


def _least_bad(number: int, faces, labels: dict[int, Label], shape) -> Label:
    """Return the sign of a face for which no place is free, where it hides the least of any face."""
    spots = places(faces[number], (sign_side(faces[number]),) * 2, shape)
    best = int(_covered(spots, faces, [label.box for label in labels.values()]).argmin())
    return Label("", tuple(spots[best].tolist()), 0, 0, best)


def _legend_spots(widths, side: int, shape) -> Iterator[tuple[tuple[int, int, int, int], bool]]:
    """Yield the places of a legend at the frame's edges: (left, top, width, height), and whether it is a row."""
    for is_row in (True, False):
        width, height = (sum(widths), side) if is_row else (max(widths), side * len(widths))
        right, bottom = shape[1] - width, shape[0] - height
        if right >= 0 and bottom >= 0:
            for part in (0, 4, 1, 3, 2):  # quarters of the way along the edge
                along = part * (right if is_row else bottom) // 4
                for corner in [(along, bottom), (along, 0)] if is_row else [(0, along), (right, along)]:
                    yield (*corner, width, height), is_row


def _covered(spots: np.ndarray, faces, labels) -> np.ndarray:
    """Return how bad each spot is: the largest share of a face that it hides, plus the shares of labels."""
    faces, of_labels = (np.array(boxes, float).reshape(-1, 4) for boxes in (faces, labels))
    inner = np.hstack([faces[:, :2] + faces[:, 2:] / 10, 0.8 * faces[:, 2:]])  # a tenth at each edge may be hidden
    hidden = (_overlap(spots, inner) / inner[:, 2:].prod(axis=1)).max(axis=1, initial=0)
    return hidden + (_overlap(spots, of_labels) / of_labels[:, 2:].prod(axis=1)).sum(axis=1)


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the area in pixels that each box shares with each other box: `(n, m)`."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], others[:, :2] + others[:, 2:])
    return np.maximum(high - low, 0).prod(axis=2)
