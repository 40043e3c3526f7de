"""Boxes and labels drawn on a frame: color, line style and words each tell the label on their own."""

import cv2
import numpy as np

# RGB. Okabe and Ito's blue, vermilion and purple, which color-blind eyes keep apart, the last two darkened until white
# text on them has a contrast of 4.5 (WCAG 2, AA). Per label: color, and length of dash and gap in line widths (no gap:
# solid).
STYLES = ((0, 114, 178), (1, 0)), ((184, 74, 0), (6, 5)), ((168, 76, 128), (14, 4))
UNSURE_STYLE = (90, 90, 90), (1, 2)
FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALLEST_FONT = 0.35  # about 8 pixels for a capital letter: below that nobody reads it


def draw(frame: np.ndarray, detections, classes) -> np.ndarray:
    """A copy of an RGB uint8 frame with a box and a label around each detection; classes in the run's order."""
    marked = np.ascontiguousarray(frame).copy()
    unit = max(1, round(min(frame.shape[:2]) / 300))  # pixels per line width
    for detection in detections:
        color, dash = STYLES[classes.index(detection.label)] if detection.label in classes else UNSURE_STYLE
        x, y, width, height = detection.box
        corners = [(x, y), (x + width - 1, y), (x + width - 1, y + height - 1), (x, y + height - 1)]
        for number in range(4):
            _line(marked, corners[number - 1], corners[number], (255, 255, 255), (1, 0), unit + 2)
            _line(marked, corners[number - 1], corners[number], color, dash, unit + 1)
    for detection in detections:  # the words last, so that no neighbor's box crosses them
        style = STYLES[classes.index(detection.label)] if detection.label in classes else UNSURE_STYLE
        _write(marked, caption(detection), detection.box, style[0], unit)
    return marked


def caption(detection) -> str:
    """What is written at a box, such as "with mask 98%"."""
    words = detection.label.replace("_", " ")
    if words == "unsure" or detection.probability < 0.5:  # in a video a label is kept until the other one is sure
        return words
    # 100 % would claim more than any classifier knows.
    return f"{words} {min(99, round(100 * detection.probability))}%"


def _line(frame, start, end, color, dash, width) -> None:
    """A straight line, solid or in dashes."""
    start, end = np.array(start, float), np.array(end, float)
    length = max(1.0, float(np.linalg.norm(end - start)))
    on, off = np.array(dash, float) * width
    if off == 0:
        on = length
    for begin in np.arange(0, length, on + off):
        first = start + (end - start) * begin / length
        last = start + (end - start) * min(begin + on, length) / length
        cv2.line(
            frame, tuple(first.round().astype(int).tolist()), tuple(last.round().astype(int).tolist()), color, width
        )


def _write(frame, text, box, color, unit) -> None:
    """White words on the label's color, above the box, or where the frame leaves room for them."""
    x, y, width, _ = box
    # As large as the box is wide, within reason, but never so wide that the frame cuts the words off.
    scale = np.clip(width / cv2.getTextSize(text, FONT, 1.0, 1)[0][0], 0.4 * unit, 0.8 * unit)
    scale = max(SMALLEST_FONT, min(scale, frame.shape[1] / (cv2.getTextSize(text, FONT, 1.0, 1)[0][0] + 12)))
    thickness = max(1, round(scale * 1.6))
    (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, thickness)
    pad = max(2, text_height // 4)
    tag_width, tag_height = text_width + 2 * pad, text_height + below + pad
    left = int(np.clip(x - 1, 0, max(0, frame.shape[1] - tag_width)))
    top = y - tag_height if y >= tag_height else min(y, max(0, frame.shape[0] - tag_height))
    cv2.rectangle(frame, (left, top), (left + tag_width - 1, top + tag_height - 1), color, cv2.FILLED)
    place = (left + pad, top + pad // 2 + text_height)
    cv2.putText(frame, text, place, FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
