"""Draw boxes and labels on a frame. Color, line style, and text each show the label on their own."""

import cv2
import numpy as np

# RGB: the blue, vermilion, and purple of Okabe and Ito ("Color Universal Design", 2008), which color-blind readers can
# tell apart. The last two are darkened until white text on them has a contrast of 4.5 (WCAG 2, AA). For each label: the
# color, and the lengths of dash and gap in line widths. A gap of 0 is a solid line.
STYLES = ((0, 114, 178), (1, 0)), ((184, 74, 0), (6, 5)), ((168, 76, 128), (14, 4))
UNSURE_STYLE = (90, 90, 90), (1, 2)
FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALLEST_FONT = 0.35  # a capital letter is about 8 pixels high; nobody can read smaller ones


def draw(frame: np.ndarray, detections, classes) -> np.ndarray:
    """Draw a box and a label around each detection.

    Args:
        frame: RGB uint8 (height, width, 3).
        detections: a list of `detector.Detection`.
        classes: the names of the classes in the run's order.

    Returns:
        A marked copy of the frame.

    Introduced in notebook 00.
    """
    marked = np.ascontiguousarray(frame).copy()
    unit = max(1, round(min(frame.shape[:2]) / 300))  # pixels per line width
    for detection in detections:
        color, dash = STYLES[classes.index(detection.label)] if detection.label in classes else UNSURE_STYLE
        x, y, width, height = detection.box
        corners = [(x, y), (x + width - 1, y), (x + width - 1, y + height - 1), (x, y + height - 1)]
        for number in range(4):
            _line(marked, corners[number - 1], corners[number], (255, 255, 255), (1, 0), unit + 2)
            _line(marked, corners[number - 1], corners[number], color, dash, unit + 1)
    for detection in detections:  # after all boxes, so that no box crosses a label
        style = STYLES[classes.index(detection.label)] if detection.label in classes else UNSURE_STYLE
        _write(marked, caption(detection), detection.box, style[0], unit)
    return marked


def caption(detection) -> str:
    """Return the text at a box, such as "with mask 98%".

    Introduced in notebook 06.
    """
    text = detection.label.replace("_", " ")
    if text == "unsure" or detection.probability < 0.5:  # in a video, a label stays until another one is sure
        return text
    # 100% would claim more than any classifier knows.
    return f"{text} {min(99, round(100 * detection.probability))}%"


def _line(frame, start, end, color, dash, width) -> None:
    """Draw a straight line, solid or dashed."""
    start, end = np.array(start, float), np.array(end, float)
    length = max(1.0, float(np.linalg.norm(end - start)))
    dash_length, gap_length = np.array(dash, float) * width
    if gap_length == 0:
        dash_length = length
    for begin in np.arange(0, length, dash_length + gap_length):
        first = start + (end - start) * begin / length
        last = start + (end - start) * min(begin + dash_length, length) / length
        cv2.line(
            frame, tuple(first.round().astype(int).tolist()), tuple(last.round().astype(int).tolist()), color, width
        )


def _write(frame, text, box, color, unit) -> None:
    """Write white text on the label's color, above the box or where the frame has room for it."""
    x, y, width, _ = box
    # As wide as the box within limits, but never so wide that the frame cuts off the text.
    scale = np.clip(width / cv2.getTextSize(text, FONT, 1.0, 1)[0][0], 0.4 * unit, 0.8 * unit)
    scale = max(SMALLEST_FONT, min(scale, frame.shape[1] / (cv2.getTextSize(text, FONT, 1.0, 1)[0][0] + 12)))
    thickness = max(1, round(scale * 1.6))
    (text_width, text_height), baseline = cv2.getTextSize(text, FONT, scale, thickness)
    padding = max(2, text_height // 4)
    label_width, label_height = text_width + 2 * padding, text_height + baseline + padding
    left = int(np.clip(x - 1, 0, max(0, frame.shape[1] - label_width)))
    top = y - label_height if y >= label_height else min(y, max(0, frame.shape[0] - label_height))
    cv2.rectangle(frame, (left, top), (left + label_width - 1, top + label_height - 1), color, cv2.FILLED)
    origin = (left + padding, top + padding // 2 + text_height)
    cv2.putText(frame, text, origin, FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
