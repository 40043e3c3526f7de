"""How large, blurred, dark, flat or turned away a face is, in bands: where does a classifier fail?"""

import cv2
import numpy as np

from ..photos import blur_sigma, fit_to_input

SIDE = 160  # pixels that a crop is stretched to before blur, light and contrast are measured
# Where one band ends and the next one begins. A band holds its lower end, not its upper one.
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
    """The middle of a face crop: one that shows `has` box sizes around the face's box cut down to `wanted`.

    A view of the crop; all of it if it shows less than is wanted. Where the photo's edge cut the crop off, the middle
    is not quite the face's.
    """
    share = min(1.0, (1 + 2 * wanted) / (1 + 2 * has))
    height, width = (max(1, round(side * share)) for side in crop.shape[:2])
    top, left = (crop.shape[0] - height) // 2, (crop.shape[1] - width) // 2
    return crop[top : top + height, left : left + width]


def measure(crop: np.ndarray, margin: float) -> dict[str, float]:
    """Blur, light and contrast of a face, measured within its box after the crop was stretched to 160×160 pixels.

    crop: RGB uint8 (height, width, 3), with `margin` box sizes around the face's box. Blur is the standard deviation
    of a Gaussian in stretched pixels, 0.3 to 5 (see `photos.blur_sigma`): so small faces are blurred for being small,
    which is how a classifier sees them. Light and contrast are mean and standard deviation of the brightness, 0 to 255.
    """
    gray = cv2.cvtColor(crop_center(fit_to_input(crop, SIDE), margin, 0), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return {"blur": blur_sigma(gray), "light": float(gray.mean()), "contrast": float(gray.std())}


def head_turn(landmarks: np.ndarray | None) -> float:
    """How far a head is turned to one side, from a detector's five landmarks (see `faces.Face`).

    The nose's way from the middle between the eyes along the line of the eyes, in distances of the eyes: 0 is frontal,
    0.5 has the nose below an eye. Not a number without landmarks.
    """
    if landmarks is None:
        return float("nan")
    right_eye, left_eye, nose = np.asarray(landmarks, float)[:3]
    line = left_eye - right_eye
    return float(abs((nose - (right_eye + left_eye) / 2) @ line) / max(line @ line, 1e-9))


def bins(name: str, values: np.ndarray) -> list[tuple[float | None, float | None, np.ndarray]]:
    """(from, to, which of the values) for each band of a measure, and for values that are not known, if there are any.

    from and to are None where a band is open; both are for values that are not known. name: a key of `BINS`.
    """
    edges = [None, *BINS[name], None]
    places = np.where(np.isnan(values), -1, np.searchsorted(BINS[name], values, side="right"))
    found = [(edges[place], edges[place + 1], places == place) for place in range(len(edges) - 1)]
    return found + ([(None, None, places == -1)] if (places == -1).any() else [])
