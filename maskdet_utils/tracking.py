"""Who is who from one frame to the next, and a label that does not flicker."""

from dataclasses import dataclass

import cv2
import numpy as np

MASKED, BARE = 0, 1  # places among the classes


@dataclass(eq=False)
class Track:
    """One person in a video.

    number: 1 for the first person, and so on. box: (x, y, width, height) where the face was last seen, or is guessed to
    be. log_odds: of the first class against the others, smoothed over time. label: MASKED, BARE (any of the others) or
    None, unsure. others: the probabilities of the other classes, smoothed over time: with three classes they say which
    one it is.
    """

    number: int
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    score: float = 1.0  # the face detector's, when it was last seen
    seen: tuple[int, int, int, int, int] | None = None  # the box where it was last seen, and the number of the frame
    motion: tuple[float, float] = (0.0, 0.0)  # pixels a frame, between the last two times that it was seen
    log_odds: float | None = None
    label: int | None = None
    others: np.ndarray | None = None
    missed: int = 0  # frames since it was last seen
    agreed: int = 0  # classifications in a row that spoke for the label
    undecided: int = 0  # frames in a row in which log_odds spoke for neither class
    covered: int = 0  # frames in a row in which something seemed to be held before the mask
    bare_look: np.ndarray | None = None  # of this person without a mask, see look_of


class Tracker:
    """Recognise faces by the overlap of their boxes with those of the frame before, and smooth what is said of them.

    min_overlap: intersection over union from which two boxes are one face. patience: frames for which a face may be
    out of sight (a turned head) and still be the same person. weight: how much the newest frame counts; 1 is no
    smoothing. limit: no single frame's log-odds count for more. sure: the smoothed log-odds, either way, that a new
    label asks for; below it the old one stays, but after `undecided` frames below `unsure` it is gone. settled: see
    `is_due`.
    covered: a hand before a mask looks like bare skin to a classifier. But a mask that comes off shows the face that
    was there before: while the eyes look as they did without a mask and the mouth does not, the label stays, for at
    most so many frames.
    """

    def __init__(
        self,
        min_overlap=0.3,
        patience=30,
        weight=0.4,
        limit=3.0,
        sure=1.0,
        unsure=0.4,
        undecided=30,
        covered=60,
        settled=8,
    ):
        self.min_overlap, self.patience, self.weight, self.limit = min_overlap, patience, weight, limit
        self.sure, self.unsure, self.undecided, self.covered = sure, unsure, undecided, covered
        self.settled, self.frame = settled, 0
        self.tracks: list[Track] = []
        self._count = 0

    def follow(self, boxes, scores=None) -> list[Track]:
        """Take the boxes (x, y, width, height) of the next frame; return the person each of them belongs to."""
        pairs = dict(self._pair(boxes))
        self.frame += 1
        for track in self.tracks:
            track.missed += 1
        found = [pairs.get(number) or self._new_track() for number in range(len(boxes))]
        for track, box, score in zip(found, boxes, scores or [1.0] * len(boxes), strict=True):
            if track.seen:
                frames = self.frame - track.seen[4]
                track.motion = (box[0] - track.seen[0]) / frames, (box[1] - track.seen[1]) / frames
            track.box, track.score, track.missed, track.seen = tuple(box), score, 0, (*box, self.frame)
        self.tracks = [track for track in self.tracks if track.missed <= self.patience]
        return found

    def guess(self) -> list[Track]:
        """The people of the next frame without a look at it: everybody who is in sight moves on as before."""
        self.frame += 1
        in_sight = [track for track in self.tracks if not track.missed]
        for track in in_sight:
            frames = self.frame - track.seen[4]
            x, y = (round(track.seen[axis] + frames * track.motion[axis]) for axis in (0, 1))
            track.box = (x, y, *track.seen[2:4])
        return in_sight

    def is_due(self, track: Track) -> bool:
        """Whether this person should be classified in this frame: one with a settled label only in every other one.

        That halves the classifier's work; the first frame that speaks against the label unsettles it.
        """
        return track.agreed < self.settled or (self.frame + track.number) % 2 == 0

    def weigh(self, track: Track, log_odds: float, look=None, others=(1.0,)) -> None:
        """Count a frame's evidence on a person: log-odds of the first class, `look_of` its crop, the other classes' probabilities."""
        odds, others = min(max(log_odds, -self.limit), self.limit), np.maximum(others, 1e-6)
        if track.log_odds is None:
            track.log_odds = odds / 2  # one frame alone is not sure of much
            track.others = others
        speaks = None if abs(odds) < self.sure else MASKED if odds > 0 else BARE
        track.agreed = track.agreed + 1 if speaks is not None and speaks == track.label else 0
        self._average(track, odds, look, others)
        self._decide(track)

    def _new_track(self) -> Track:
        self._count += 1
        self.tracks.append(Track(self._count))
        return self.tracks[-1]

    def _average(self, track: Track, odds: float, look, others: np.ndarray) -> None:
        """Mix the new evidence in, unless it says "bare" only because something covers the mask."""
        if track.label == MASKED and odds < 0 and track.covered < self.covered and _is_covered(track.bare_look, look):
            track.covered += 1
            return
        if odds > 0:
            track.covered = 0
        track.log_odds += self.weight * (odds - track.log_odds)
        track.others = track.others + self.weight * (others - track.others)
        if track.label == BARE and odds <= -self.sure and look is not None:
            track.bare_look = look if track.bare_look is None else 0.8 * track.bare_look + 0.2 * look

    def _decide(self, track: Track) -> None:
        if abs(track.log_odds) >= self.sure:
            label = MASKED if track.log_odds > 0 else BARE
            if label != track.label:
                track.label, track.covered = label, 0
        track.undecided = track.undecided + 1 if abs(track.log_odds) < self.unsure else 0
        if track.undecided > self.undecided:
            track.label = None

    def _pair(self, boxes):
        """Give (number of the box, its track), those that overlap most first, each box and each track once."""
        if not boxes or not self.tracks:
            return
        overlap = overlaps(np.array(boxes, float), np.array([track.box for track in self.tracks], float))
        while overlap.max() >= self.min_overlap:
            row, column = np.unravel_index(overlap.argmax(), overlap.shape)
            overlap[row], overlap[:, column] = -1, -1
            yield int(row), self.tracks[column]


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each of n boxes (x, y, width, height) with each of m others, as (n, m)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], (others[:, :2] + others[:, 2:])[None])
    common = np.clip(high - low, 0, None).prod(axis=2)
    total = boxes[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)[None] - common
    return common / np.maximum(total, 1e-9)


def look_of(crop: np.ndarray) -> np.ndarray:
    """What a face crop (square, RGB uint8, box and margin) looks like: a grey float32 picture (32, 32)."""
    small = cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _is_covered(bare_look, look, eyes: float = 0.8, mouth: float = 0.75) -> bool:
    """Whether the eyes look as they did on the bare face, but nose and mouth do not (correlations, −1 to 1)."""
    if bare_look is None or look is None:
        return False
    return _likeness(bare_look, look, slice(4, 15)) >= eyes and _likeness(bare_look, look, slice(16, 29)) < mouth


def _likeness(known: np.ndarray, look: np.ndarray, rows: slice, give: int = 2) -> float:
    """How well some rows of a known look correlate with a new look, moved by up to `give` pixels to fit best."""
    wider = look[rows.start - give : rows.stop + give, 6 - give : 26 + give]
    return float(cv2.matchTemplate(wider, known[rows, 6:26], cv2.TM_CCOEFF_NORMED).max())
