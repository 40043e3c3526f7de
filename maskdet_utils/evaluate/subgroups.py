"""Where does a classifier fail? Subgroups of faces by size, blur, light, contrast, and turn of the head."""

import cv2
import numpy as np

from ..photos import blur_sigma, fit_to_input

SIDE = 160  # pixels; every crop is stretched to this side before blur, light, and contrast are measured
# The edges between bins. A bin includes its lower edge, but not its upper one.
BINS = {
    "face_size": (24, 48, 96),  # pixels, the shorter side of the face's box
    "blur": (0.75, 1.5),  # pixels of the stretched crop, see `measure`
    "light": (80, 120, 160),  # mean brightness, 0 to 255
    "contrast": (40, 60),  # standard deviation of the brightness
    "turn": (0.15, 0.35),  # see `head_turn`
}
WORDS = {
    "face_size": "face size, pixels",
    "blur": f"blur, pixels of {SIDE}",
    "light": "light, 0–255",
    "contrast": "contrast, 0–255",
    "turn": "turn, 0 frontal",
}


def crop_center(crop: np.ndarray, has: float, wanted: float) -> np.ndarray:
    """Reduce the margin that a face crop shows around the face's box.

    If the photo's edge cut the crop off, the center of the crop is not quite the center of the face.

    Args:
        crop: Pixels, `(height, width, 3)`.
        has: The crop's margin on each side, in box sizes.
        wanted: The margin to keep, in box sizes.

    Returns:
        A view of the crop. It is the whole crop if that shows less than `wanted`.
    """
    share = min(1.0, (1 + 2 * wanted) / (1 + 2 * has))
    height, width = (max(1, round(side * share)) for side in crop.shape[:2])
    top, left = (crop.shape[0] - height) // 2, (crop.shape[1] - width) // 2
    return crop[top : top + height, left : left + width]


def measure(crop: np.ndarray, margin: float) -> dict[str, float]:
    """Measure blur, light, and contrast of a face.

    We measure inside the face's box after stretching the crop to 160×160 pixels. So a small face counts as blurred,
    which is how a classifier sees it.

    Args:
        crop: RGB uint8 `(height, width, 3)`.
        margin: How much the crop shows around the face's box on each side, in box sizes.

    Returns:
        `blur`: the standard deviation of a Gaussian in stretched pixels, 0.3 to 5, see `photos.blur_sigma`. `light` and
        `contrast`: the mean and the standard deviation of the brightness, 0 to 255.
    """
    gray = cv2.cvtColor(crop_center(fit_to_input(crop, SIDE), margin, 0), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return {"blur": blur_sigma(gray), "light": float(gray.mean()), "contrast": float(gray.std())}


def head_turn(landmarks: np.ndarray | None) -> float:
    """Measure how far a head is turned to one side.

    We start at the midpoint between the eyes and measure how far the nose lies along the line through the eyes, in
    distances between the eyes.

    Args:
        landmarks: A detector's five landmarks, `(5, 2)`: right eye, left eye, nose, right and left mouth corner, see
            `faces.Face`.

    Returns:
        0 for a frontal face, 0.5 if the nose lies below an eye, and NaN without landmarks.
    """
    if landmarks is None:
        return float("nan")
    right_eye, left_eye, nose = np.asarray(landmarks, float)[:3]
    eye_line = left_eye - right_eye
    return float(abs((nose - (right_eye + left_eye) / 2) @ eye_line) / max(eye_line @ eye_line, 1e-9))


def bins(name: str, values: np.ndarray) -> list[tuple[float | None, float | None, np.ndarray]]:
    """Sort the values of a measure into bins.

    Args:
        name: A key of `BINS`.
        values: The measured values, float `(n,)`. NaN means not known.

    Returns:
        For each bin its lower edge, its upper edge, and a mask of its values, bool `(n,)`. An edge is None where the
        bin is open. If some values are not known, the last bin holds them, and both of its edges are None.
    """
    edges = [None, *BINS[name], None]
    numbers = np.where(np.isnan(values), -1, np.searchsorted(BINS[name], values, side="right"))
    found = [(edges[number], edges[number + 1], numbers == number) for number in range(len(edges) - 1)]
    return found + ([(None, None, numbers == -1)] if (numbers == -1).any() else [])
