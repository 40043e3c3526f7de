"""Tell which way up a face is. Face detectors and classifiers are trained on upright faces and don't say so."""

import numpy as np

from .boxes import crop_face
from .faces import CenterFace


class Upright:
    """Find out how to turn a face upright: the face detector scores it highest the right way up.

    YuNet finds faces that are upside down, too, and puts the landmarks where those of an upright face would be. So the
    landmarks can't tell, but CenterFace's scores can. Of 150 street faces at least 24 pixels wide, 1% score at least
    0.7 the wrong way up, and 75% do the right way up, which is then all we need to look at.

    Raises:
        AssetError: CenterFace's file is not available.
    """

    sure = 0.7  # a face with this score is upright
    enough, margin = 0.4, 0.15  # a turn must score this much, and this much more than the other three
    around = 0.75  # how much of the face's surroundings to show on each side, in box sizes

    def __init__(self):
        self.detector = CenterFace(side=96, min_score=0.05, square=False)

    def quarter_turns(self, frame: np.ndarray, box) -> int | None:
        """Return how many quarter turns counterclockwise (`np.rot90`) put a face upright, or None if that's unclear.

        Args:
            frame: RGB uint8 `(height, width, 3)`.
            box: (x, y, width, height) of the face in pixels.
        """
        crop = crop_face(frame, box, self.around)
        left, top = max(0, box[0] - self.around * box[2]), max(0, box[1] - self.around * box[3])
        x, y, reach = box[0] + box[2] / 2 - left, box[1] + box[3] / 2 - top, min(box[2:]) / 2
        scores = []
        for turn in range(4):
            found = self.detector.detect(np.ascontiguousarray(np.rot90(crop, turn)))
            scores.append(max((face.score for face in found if _is_near(face.box, x, y, reach)), default=0.0))
            if scores[0] >= self.sure:
                return 0
            x, y = y, crop.shape[1 - turn % 2] - x  # where the next turn moves the center of the face
        best = int(np.argmax(scores))
        others = max(score for turn, score in enumerate(scores) if turn != best)
        return best if best == 0 or scores[best] > max(self.enough, others + self.margin) else None


def _is_near(box, x: float, y: float, reach: float) -> bool:
    return abs(box[0] + box[2] / 2 - x) < reach and abs(box[1] + box[3] / 2 - y) < reach
