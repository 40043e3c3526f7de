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
def change_in_points(function):
    """A function that gives by how many percentage points probabilities change with the margin."""
    table = {0.25: np.array([0.9, 0.2, 0.6, 0.5]), 1.0: np.array([0.7, 0.3, 0.9, 0.5]), 0.1: np.zeros(4)}
    found = float(call(function, lambda margin: table[round(margin, 6)].copy(), 1.0))
    mistakes = {
        "ups and downs cancel out. Take the absolute value of each change before you average: `np.abs`.": [5, -5],
        "this is a fraction. A percentage point is 0.01.": 0.15,
        "this is the sum over the faces. What is the mean?": 60,
        "this is the largest change. What is the mean?": 30,
        "ups and downs cancel out, and it is a fraction. Average the absolute changes, in percentage points.": [
            0.05,
            -0.05,
        ],
        "this is a percentage of the old probability. Percentage *points* are a plain difference: from 90% to 70% are 20.": (
            100 * np.mean(np.abs(table[1.0] / table[0.25] - 1))
        ),
    }
    for problem, wrong in mistakes.items():
        if any(same(found, value) for value in np.atleast_1d(wrong)):
            raise NotYet(problem)
    if not same(found, 15):
        raise NotYet(
            "0.9 → 0.7, 0.2 → 0.3, 0.6 → 0.9, and 0.5 → 0.5 are changes by 20, 10, 30, and 0 points, 15 on average, "
            f"not {found:.2f}."
        )
    found = float(run(function, lambda margin: table[round(margin, 6)].copy(), 0.25, 0.1))
    if not same(found, 55):
        raise NotYet(
            f"for a classifier trained with a margin of 0.1, use `trained`: 55 points expected, not {found:.2f}."
        )
    return "the mean of the absolute changes, in percentage points. Run the last cell: what is it for your classifier?"


def own_classifier(run_dir="runs/lab"):
    """Return what the learner's own classifier says of test faces, and whose classifier that is.

    Args:
        run_dir: The run whose classifier is used. If it has none, the released classifier takes its place.

    Returns:
        A function of a margin that gives 40 probabilities of a mask, and a sentence.
    """
    from maskdet_utils import boxes, runs, sample
    from maskdet_utils.classifier import CLASSIFIER, RELEASED, load_classifier
    from maskdet_utils.faces import CenterFace
    from maskdet_utils.live.clips import TEST_PEOPLE
    from maskdet_utils.photos import fit_to_input, read_photo

    is_trained = (runs.open_run(run_dir) / CLASSIFIER).is_file()
    classifier, _ = load_classifier(runs.open_run(run_dir) if is_trained else RELEASED)
    folder, detector, faces = sample.build(), CenterFace(), []
    for label in ("with_mask", "without_mask"):
        for person in TEST_PEOPLE[:2]:
            for path in sorted((folder / label).glob(f"s{person:02d}_*.jpg")):
                # Without a wide frame around the photo, there would be nothing to see beyond a small margin.
                photo = np.pad(read_photo(path), ((150, 150), (150, 150), (0, 0)), constant_values=120)
                faces += [(photo, face.box) for face in detector.detect(photo)[:1]]

    def mask_probabilities(margin: float) -> np.ndarray:
        crops = [fit_to_input(boxes.crop_face(photo, box, margin), classifier.input_size) for photo, box in faces]
        return classifier(np.stack(crops).astype("float32"))[:, 0]

    return mask_probabilities, "the one you trained." if is_trained else "the released one."
