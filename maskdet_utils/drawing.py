"""Draw boxes and labels on a frame. Color, line style, and text each show the label on their own.

Where several faces need labels that hide none of them, `live.labels` finds the places.
"""

import cv2
import numpy as np

from .classifier import by_meaning

# RGB: the blue, vermilion, and purple of Okabe and Ito ("Color Universal Design", 2008), which color-blind readers can
# tell apart. The last two are darkened until white text on them has a contrast of 4.5 (WCAG 2, AA). For each label: the
# color, and the lengths of dash and gap in line widths. A gap of 0 is a solid line.
STYLES = ((0, 114, 178), (1, 0)), ((184, 74, 0), (6, 5)), ((168, 76, 128), (14, 4))  # mask, bare, worn incorrectly
NEUTRAL_STYLES = ((0, 110, 100), (1, 0)), ((122, 85, 0), (6, 5)), ((100, 70, 150), (14, 4))  # neither calm nor alarming
UNSURE_STYLE = (90, 90, 90), (1, 2)
FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALLEST_LETTER = 9  # pixels: the height of a capital letter. Nobody can read smaller ones


def draw(frame: np.ndarray, detections, classes) -> np.ndarray:
    """Draw a box and a label around each detection.

    The label is above the face or, at the frame's edge, on the face's own edge. See `live.labels` for crowds.

    Args:
        frame: RGB uint8 (height, width, 3).
        detections: a list of `detector.Detection`.
        classes: the names of the classes.

    Returns:
        A marked copy of the frame.

    Introduced in notebook 00.
    """
    styles = styles_of(classes)
    marked = draw_boxes(frame, detections, styles)
    for detection in detections:
        x, y, width, _ = detection.box
        text, letter = caption(detection), sizes(width)[1]
        letter = max(1, min(letter, letter * frame.shape[1] // label_size(text, letter)[0]))  # must fit the frame
        label_width, label_height = label_size(text, letter)
        corner = max(0, min(x, frame.shape[1] - label_width)), max(0, y - label_height - 2)
        write(marked, text, corner, letter, styles.get(detection.label, UNSURE_STYLE)[0])
    return marked


def styles_of(classes, mask_class: str | None = None) -> dict:
    """Return the style of each class: by its meaning, or neutral if no class means "mask" (see `by_meaning`)."""
    names, mask_class = by_meaning(classes, mask_class)
    return dict(zip(names, STYLES if mask_class else NEUTRAL_STYLES, strict=False))


def draw_boxes(frame: np.ndarray, detections, styles: dict) -> np.ndarray:
    """Return a copy of the frame with a box around each detection, just outside the face."""
    marked = np.ascontiguousarray(frame).copy()
    for detection in detections:
        color, dash = styles.get(detection.label, UNSURE_STYLE)
        x, y, width, height = detection.box
        line, _ = sizes(width)
        outline = line + 1 + line // 3  # OpenCV's lines of 2 and 3 are 3 and 5 pixels wide
        away = (outline + 3) // 2  # so that the face itself stays as it is
        low, high = (x - away, y - away), (x + width - 1 + away, y + height - 1 + away)
        last = np.array(frame.shape[1::-1]) - 1 - line // 2  # so that the lines of a face at the frame's edge are seen
        (left, top), (right, bottom) = np.clip([low, high], line // 2, last).tolist()
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        cv2.rectangle(marked, corners[0], corners[2], (255, 255, 255), outline)
        for number in range(4):
            _line(marked, corners[number - 1], corners[number], color, dash, line)
    return marked


def sizes(face_width: int) -> tuple[int, int]:
    """Return the width of a box's line and the height of a capital letter in pixels.

    They depend on the face and not on the frame, because a frame may show faces of any size.
    """
    return max(1, min(2, face_width // 16), face_width // 120), max(SMALLEST_LETTER, face_width // 10)


def caption(detection) -> str:
    """Return the text at a box, such as "with mask 98%".

    Introduced in notebook 06.
    """
    text = detection.label.replace("_", " ")
    if text == "unsure" or detection.probability < 0.5:  # in a video, a label stays until another one is sure
        return text
    # 100% would claim more than any classifier knows.
    return f"{text} {min(99, round(100 * detection.probability))}%"


def label_size(text: str, letter: int) -> tuple[int, int]:
    """Return the width and height in pixels of a label with letters of this height."""
    return cv2.getTextSize(text, FONT, letter / 21, 1)[0][0] + letter, int(1.8 * letter)


def write(frame: np.ndarray, text: str, corner, letter: int, color) -> None:
    """Write white text on a rectangle of the given color, whose top left corner is at (x, y)."""
    left, top = corner
    width, height = label_size(text, letter)
    cv2.rectangle(frame, (left, top), (left + width - 1, top + height - 1), color, cv2.FILLED)
    origin, thickness = (left + letter // 2, top + round(1.4 * letter)), max(1, round(letter / 12))
    cv2.putText(frame, text, origin, FONT, letter / 21, (255, 255, 255), thickness, cv2.LINE_AA)


def _line(frame, start, end, color, dash, width) -> None:
    """Draw a straight line, solid or dashed."""
    start, end = np.array(start, float), np.array(end, float)
    length = max(1.0, float(np.linalg.norm(end - start)))
    dash_length, gap_length = np.array(dash, float) * width if dash[1] else (length, 0)
    for begin in np.arange(0, length, dash_length + gap_length):
        ends = [start + (end - start) * part / length for part in (begin, min(begin + dash_length, length))]
        cv2.line(frame, *(tuple(point.round().astype(int).tolist()) for point in ends), color, width)
