"""Who is who from one frame to the next, and a label that does not flicker."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from .boxes import iou

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
    others: list[float] | None = None
    missed: int = 0  # frames since it was last seen
    agreed: int = 0  # classifications in a row that spoke for the label
    undecided: int = 0  # frames in a row in which log_odds spoke for neither class
    covered: int = 0  # frames in a row in which something seemed to be held before the mask
    bare_look: np.ndarray | None = None  # of this person without a mask, see look_of


@dataclass(eq=False, kw_only=True)
class Tracker:
    """Recognize faces by the overlap of their boxes with those of the frame before, and smooth what is said of them.

    A hand before a mask looks like bare skin to a classifier. But a mask that comes off shows the face that was there
    before: while the eyes look as they did without a mask and the mouth does not, the label stays.
    """

    min_iou: float = 0.3  # intersection over union from which two boxes are one face
    patience: int = 30  # frames for which a face may be out of sight (a turned head) and still be the same person
    weight: float = 0.4  # how much the newest frame counts; 1 is no smoothing
    limit: float = 3.0  # no single frame's log-odds count for more
    sure: float = 1.0  # the smoothed log-odds, either way, that a new label asks for; below it the old one stays
    unsure: float = 0.4  # a label whose log-odds stay below this …
    undecided: int = 30  # … for more than this many frames is gone
    covered: int = 60  # frames for which something held before a mask may look like a bare face
    settled: int = 8  # classifications in a row for a label after which every other frame is enough
    frame: int = 0  # frames so far
    tracks: list[Track] = field(default_factory=list)  # everybody in sight, or out of sight for a short while
    _count: int = 0

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

    def weigh(self, track: Track, log_odds: float, crop=None, others=(1.0,)) -> None:
        """Count a frame's evidence on a person: log-odds of the first class, the other classes' probabilities.

        crop: what they were told from, see `look_of`; None if it is no help in telling a covered mask from a bare face.
        """
        odds, others = min(max(log_odds, -self.limit), self.limit), [max(other, 1e-6) for other in others]
        if track.log_odds is None:
            track.log_odds = odds / 2  # one frame alone is not sure of much
            track.others = others
        speaks = None if abs(odds) < self.sure else MASKED if odds > 0 else BARE
        track.agreed = track.agreed + 1 if speaks is not None and speaks == track.label else 0
        self._average(track, odds, crop, others)
        self._decide(track)

    def _new_track(self) -> Track:
        self._count += 1
        self.tracks.append(Track(self._count))
        return self.tracks[-1]

    def _average(self, track: Track, odds: float, crop, others: list[float]) -> None:
        """Mix the new evidence in, unless it says "bare" only because something covers the mask."""
        if track.label == MASKED and odds < 0 and track.covered < self.covered and _is_covered(track.bare_look, crop):
            track.covered += 1
            return
        if odds > 0:
            track.covered = 0
        track.log_odds += self.weight * (odds - track.log_odds)
        track.others = [old + self.weight * (new - old) for old, new in zip(track.others, others, strict=True)]
        if track.label == BARE and odds <= -self.sure and crop is not None:
            if track.bare_look is None:
                track.bare_look = look_of(crop)
            elif track.agreed % 4 == 0:  # faces do not change faster than that
                track.bare_look = (track.bare_look + look_of(crop)) / 2

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
        # Plain Python: for a few faces numpy's calls take longer than the sums.
        pairs = [
            (share, row, column)
            for row, box in enumerate(boxes)
            for column, track in enumerate(self.tracks)
            if (share := iou(box, track.box)) >= self.min_iou
        ]
        rows, columns = set(), set()
        for _, row, column in sorted(pairs, key=lambda pair: -pair[0]):
            if row not in rows and column not in columns:
                rows.add(row)
                columns.add(column)
                yield row, self.tracks[column]


def look_of(crop: np.ndarray) -> np.ndarray:
    """What a face crop (square, RGB uint8, box and margin) looks like: a gray float32 picture (32, 32)."""
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)


def _is_covered(bare_look, crop, eyes: float = 0.8, mouth: float = 0.75) -> bool:
    """Whether the eyes look as they did on the bare face, but nose and mouth do not (correlations, −1 to 1)."""
    if bare_look is None or crop is None:
        return False
    look = look_of(crop)
    return _likeness(bare_look, look, slice(4, 15)) >= eyes and _likeness(bare_look, look, slice(16, 29)) < mouth


def _likeness(known: np.ndarray, look: np.ndarray, rows: slice, give: int = 2) -> float:
    """How well some rows of a known look correlate with a new look, moved by up to `give` pixels to fit best."""
    wider = look[rows.start - give : rows.stop + give, 6 - give : 26 + give]
    return float(cv2.matchTemplate(wider, known[rows, 6:26], cv2.TM_CCOEFF_NORMED).max())
