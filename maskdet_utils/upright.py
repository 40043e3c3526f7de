"""Tell which way up a face is. Face detectors and classifiers are trained on upright faces and don't say if one isn't."""

import numpy as np

from .boxes import crop_face
from .faces import CenterFace


class Upright:
    """Find out how to turn a face upright: the face detector scores it highest the right way up.

    YuNet finds faces that are upside down, too, and puts the landmarks where those of an upright face would be. So the
    landmarks can't tell, but CenterFace's scores can. Of 150 street faces at least 24 pixels wide, 1% score at least
    0.7 the wrong way up, and 75% do the right way up. For those, we need no other turn.

    Raises:
        AssetError: CenterFace's file is not available.
    """

    # Pixels: the longer side of what the detector sees. The second one is for where the first can't tell. Its scores are
    # higher, also the wrong way up. A face with the score `sure` is upright.
    sides, sure = (96, 160), (0.7, 0.85)
    enough, margin = 0.4, 0.15  # a turn must score this much, and this much more than the other three
    around = 0.75  # how much of the face's surroundings to show on each side, in box sizes

    def __init__(self):
        self.detectors = [CenterFace(side=side, min_score=0.05, square=False) for side in self.sides]

    def quarter_turns(self, frame: np.ndarray, box) -> int | None:
        """Return how many quarter turns counterclockwise (`np.rot90`) put a face upright, or None if that's unclear.

        Args:
            frame: RGB uint8 `(height, width, 3)`.
            box: (x, y, width, height) of the face in pixels.
        """
        crop = crop_face(frame, box, self.around)
        left, top = max(0, box[0] - self.around * box[2]), max(0, box[1] - self.around * box[3])
        center, reach = (box[0] + box[2] / 2 - left, box[1] + box[3] / 2 - top), min(box[2:]) / 2
        for detector, sure in zip(self.detectors, self.sure, strict=True):
            scores = []
            x, y = center
            for turn in range(4):
                found = detector.detect(np.ascontiguousarray(np.rot90(crop, turn)))
                scores.append(max((face.score for face in found if _is_near(face.box, x, y, reach)), default=0.0))
                if scores[0] >= sure:
                    return 0
                x, y = y, crop.shape[1 - turn % 2] - x  # where the next turn moves the center of the face
            best, others = int(np.argmax(scores)), sorted(scores)[-2]
            if best == 0 or scores[best] > max(self.enough, others + self.margin):
                return best
        return None


def _is_near(box, x: float, y: float, reach: float) -> bool:
    return abs(box[0] + box[2] / 2 - x) < reach and abs(box[1] + box[3] / 2 - y) < reach
