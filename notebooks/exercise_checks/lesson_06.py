"""Checks for the exercises of lesson 06: see it live."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, run, same


@graded
def seconds_behind(answer):
    """How old the picture on screen is after a minute, in seconds."""
    mistakes = {
        "that is the second from which the picture on screen comes. How long ago was that?": 20,
        "that would be so if nothing had been done at all.": 60,
        "that would be so if frames were dropped. Here each one waits its turn.": 0,
        "1,200 frames wait after a minute; but how old is the one that is being shown?": 1200,
    }
    reject(answer, mistakes)
    if answer != 40:
        raise NotYet(
            "in 60 seconds, 600 frames are done. In which second was the 600th taken, and how long ago is that?"
        )
    return "and 40 seconds more with every minute. So one frame is under way at a time, and the others are dropped."


@graded
def weight(answer):
    """How much the newest frame counts, above 0 and at most 1."""
    if not 0 < answer <= 1:
        raise NotYet(f"a weight is above 0 and at most 1; {answer:g} is not.")

    def averages(evidence):
        average = evidence[0]
        return np.array([average := average + answer * (value - average) for value in evidence])

    if (averages([3] * 20 + [-3] + [3] * 10) < 0).any():
        raise NotYet(f"with {answer:g}, a single wrong frame turns the label. Let the newest frame count for less.")
    delay = int((averages([3] * 20 + [-3] * 200)[20:] > 0).sum())
    if delay > 5:
        raise NotYet(
            f"with {answer:g}, the mask is off for {delay} frames before the label says so; 5 are allowed. Let the newest "
            "frame count for more."
        )
    return f"a wrong frame does no harm, and the label is {delay} frame{'s' if delay > 1 else ''} late."


@graded
def face_crop(function):
    """A function that cuts a face out of one of OpenCV's frames."""
    frame = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    expected = frame[14:50, 36:60, ::-1]
    found = call_for_array(function, frame, (40, 20, 16, 24), 0.25)
    shapes = {
        (24, 16): "this is the box itself. A margin of a quarter of its size is missing, on every side.",
        (30, 20): "the margin should be a quarter on *every* side: left and right, top and bottom.",
        (24, 36): "x and y are mixed up. Rows come first, and rows are y: `frame[top:bottom, left:right]`.",
        (16, 24): "x and y are mixed up. Rows come first, and rows are y: `frame[top:bottom, left:right]`.",
    }
    if found.shape[:2] in shapes:
        raise NotYet(shapes[found.shape[:2]])
    if found.shape != expected.shape:
        raise NotYet(f"16 × 24 pixels and a quarter on every side are 24 × 36: {expected.shape}, not {found.shape}.")
    swapped = "the right place, but red and blue are swapped. The frame is BGR, the classifier wants RGB, and no error message would tell."
    reject(found, {swapped: expected[..., ::-1]})
    if not same(found, expected):
        raise NotYet(
            "the size is right, the place is not: a box at x = 40, y = 20 makes a crop that begins at 36 and 14."
        )
    found = call_for_array(function, frame, (0, 0, 16, 24), 0.25)
    if found.shape != (30, 20, 3):
        raise NotYet(
            f"a face in the upper left corner gives the shape {found.shape}, not (30, 20, 3). Beyond the edge there is "
            "nothing, and a negative index counts from the other end: `max(0, …)`."
        )
    return "a quarter more on every side, cut off at the frame's edge, in RGB."


@graded
def overlap(function):
    """A function that gives the intersection over union of two boxes."""
    found = float(call(function, (0, 0, 10, 10), (5, 0, 10, 10)))
    mistakes = {
        "these are the pixels that both boxes have. Divide by the pixels that either has.": 50,
        "the sum of both areas counts the common part twice. Take it off once.": 50 / 200,
        "you divide by the area of one box. The union is what either of them covers.": 50 / 100,
    }
    reject(found, mistakes)
    if not same(found, 50 / 150):
        raise NotYet(f"two boxes of 100 pixels, 50 of them in common: 50 / 150 = 0.33, not {found:.2f}.")
    for other, where in (((20, 24, 10, 10), "apart in both directions"), ((20, 0, 10, 10), "side by side")):
        found = float(call(function, (0, 0, 10, 10), other))
        if not same(found, 0.0):
            raise NotYet(
                f"boxes {where} overlap by {found:.2f}. What they have in common is never less than nothing: `max(0, …)` "
                "for its width and for its height."
            )
    found = float(call(function, (10, 40, 20, 10), (10, 40, 10, 20)))
    if not same(found, 100 / 300):
        raise NotYet(
            f"(10, 40, 20, 10) and (10, 40, 10, 20) have 100 of 300 pixels in common: 0.33, not {found:.2f}. A box is "
            "(x, y, width, height), so it ends at x + width."
        )
    return "1 for the same box, 0 for boxes apart, and what is common is counted once."


@graded
def choose(function):
    """A function that chooses a detector."""
    table = {"slow": (0.98, 60.0), "good": (0.93, 25.0), "quick": (0.80, 5.0)}
    found = call(function, table, 25)
    if found not in table:
        raise NotYet(f"one of the names {', '.join(table)} is wanted, not {found!r}.")
    if found == "slow":
        raise NotYet("it finds most, but takes 60 ms a frame. At 25 frames a second there are 40 ms for each.")
    if found == "quick":
        raise NotYet("it is the quickest, but quick enough is quick enough: which one finds more within 40 ms?")
    found = call(function, table, 50)
    if found != "quick":
        raise NotYet(f"at 50 frames a second there are 20 ms for each, and {found!r} takes longer.")
    found = call(function, table, 10)
    if found != "slow":
        raise NotYet(
            f"at 10 frames a second there are 100 ms for each, enough for the one that finds most; not {found!r}."
        )
    found = run(function, table, 1000)
    if found is not None:
        raise NotYet(f"at 1,000 frames a second, none is quick enough. Give None then, not {found!r}.")
    return "the best of those that are quick enough, and None if none is."
