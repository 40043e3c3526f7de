"""Checks for the exercises of lesson 06: see it live."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, run, same


@graded
def seconds_behind(answer):
    """The age of the picture on the screen after a minute, in seconds."""
    mistakes = {
        "that's the second in which the picture on the screen was taken. How long ago was that?": 20,
        "that would be right if Python hadn't processed a single frame.": 60,
        "that would be right if frames were dropped. Here, each one waits its turn.": 0,
        "that's how many frames are waiting after a minute. How old is the one on the screen?": 1200,
    }
    reject(answer, mistakes)
    if answer != 40:
        raise NotYet(
            "in 60 seconds, Python gets through 600 frames. In which second was the 600th taken, and how long ago was that?"
        )
    return "and every minute adds 40 more. That's why only one frame at a time is sent, and the others are dropped."


@graded
def weight(answer):
    """The weight of the newest frame, above 0 and at most 1."""
    if not 0 < answer <= 1:
        raise NotYet(f"a weight is above 0 and at most 1, and {answer:g} isn't.")

    def averages(evidence):
        average = evidence[0]
        return np.array([average := average + answer * (value - average) for value in evidence])

    if (averages([3] * 20 + [-3] + [3] * 10) < 0).any():
        raise NotYet(f"with {answer:g}, a single wrong frame flips the label. Let the newest frame count for less.")
    delay = int((averages([3] * 20 + [-3] * 200)[20:] > 0).sum())
    if delay > 5:
        raise NotYet(
            f"with {answer:g}, the mask is off for {delay} frames before the label says so, and only 5 are allowed. Let the "
            "newest frame count for more."
        )
    return f"a wrong frame does no harm, and the label is {delay} frame{'s' if delay > 1 else ''} late."


@graded
def face_crop(function):
    """A function that cuts a face out of an OpenCV frame."""
    frame = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    expected = frame[14:50, 36:60, ::-1]
    found = call_for_array(function, frame, (40, 20, 16, 24), 0.25)
    shapes = {
        (24, 16): "this is the box itself. The margin is missing: a quarter of the box's size on every side.",
        (30, 20): "the margin should be a quarter on *every* side: left and right, top and bottom.",
        (24, 36): "x and y are mixed up. Rows come first, and rows are y: `frame[top:bottom, left:right]`.",
        (16, 24): "x and y are mixed up. Rows come first, and rows are y: `frame[top:bottom, left:right]`.",
    }
    if found.shape[:2] in shapes:
        raise NotYet(shapes[found.shape[:2]])
    if found.shape != expected.shape:
        raise NotYet(
            f"16 × 24 pixels with a quarter more on every side is 24 × 36, so the shape is {expected.shape}, not {found.shape}."
        )
    swapped = (
        "the right place, but red and blue are swapped. The frame is BGR, the classifier needs RGB, and no error message "
        "would tell you."
    )
    reject(found, {swapped: expected[..., ::-1]})
    if not same(found, expected):
        raise NotYet(
            "the size is right, but the place isn't: for a box at x = 40, y = 20, the crop starts at x = 36, y = 14."
        )
    found = call_for_array(function, frame, (0, 0, 16, 24), 0.25)
    if found.shape != (30, 20, 3):
        raise NotYet(
            f"for a face in the upper left corner, the crop has the shape {found.shape}, not (30, 20, 3). There is nothing "
            "beyond the edge, and a negative index counts from the other end: `max(0, …)`."
        )
    return "a quarter more on every side, cut off at the edge of the frame, in RGB."


@graded
def overlap(function):
    """A function that returns the intersection over union of two boxes."""
    found = float(call(function, (0, 0, 10, 10), (5, 0, 10, 10)))
    mistakes = {
        "this is the number of pixels in both boxes. Divide it by the number of pixels in at least one of them.": 50,
        "the sum of the two areas counts the overlap twice. Subtract it once.": 50 / 200,
        "you divided by the area of one box. The union is everything that the two boxes cover together.": 50 / 100,
    }
    reject(found, mistakes)
    if not same(found, 50 / 150):
        raise NotYet(f"two boxes of 100 pixels each that share 50 pixels: 50 / 150 = 0.33, not {found:.2f}.")
    for other, where in (((20, 24, 10, 10), "apart in both directions"), ((20, 0, 10, 10), "side by side")):
        found = float(call(function, (0, 0, 10, 10), other))
        if not same(found, 0.0):
            raise NotYet(
                f"for boxes {where}, you return {found:.2f}. The overlap is never smaller than 0: use `max(0, …)` "
                "for its width and for its height."
            )
    found = float(call(function, (10, 40, 20, 10), (10, 40, 10, 20)))
    if not same(found, 100 / 300):
        raise NotYet(
            f"(10, 40, 20, 10) and (10, 40, 10, 20) share 100 of 300 pixels: 0.33, not {found:.2f}. A box is "
            "(x, y, width, height), so it ends at x + width."
        )
    return "1 for identical boxes, 0 for boxes that don't overlap, and the overlap is counted only once."


@graded
def change_in_points(function):
    """A function that returns by how many percentage points the probabilities change with the margin."""
    table = {0.25: np.array([0.9, 0.2, 0.6, 0.5]), 1.0: np.array([0.7, 0.3, 0.9, 0.5]), 0.1: np.zeros(4)}
    found = float(call(function, lambda margin: table[round(margin, 6)].copy(), 1.0))
    mistakes = {
        "ups and downs cancel out. Take the absolute value of each change before you average them: `np.abs`.": [5, -5],
        "this is a fraction. A percentage point is 0.01.": 0.15,
        "this is the sum over the faces. Return the mean.": 60,
        "this is the largest change. Return the mean.": 30,
        "ups and downs cancel out, and this is a fraction. Average the absolute changes, in percentage points.": [
            0.05,
            -0.05,
        ],
        "this is a percentage of the old probability. Percentage *points* are a plain difference: from 90% to 70% is 20 points.": (
            100 * np.mean(np.abs(table[1.0] / table[0.25] - 1))
        ),
    }
    for problem, wrong in mistakes.items():
        if any(same(found, value) for value in np.atleast_1d(wrong)):
            raise NotYet(problem)
    if not same(found, 15):
        raise NotYet(
            "0.9 → 0.7, 0.2 → 0.3, 0.6 → 0.9, and 0.5 → 0.5 are changes of 20, 10, 30, and 0 points. That's 15 on average, "
            f"not {found:.2f}."
        )
    found = float(run(function, lambda margin: table[round(margin, 6)].copy(), 0.25, 0.1))
    if not same(found, 55):
        raise NotYet(
            f"for a classifier that was trained with a margin of 0.1, the change is 55 points, not {found:.2f}. Compare with "
            "`trained`."
        )
    return (
        "the mean of the absolute changes, in percentage points. Run the next code cell to see it for your classifier."
    )


def own_classifier(run_dir="runs/lab"):
    """Return what the learner's own classifier says about test faces, and whose classifier it is.

    Args:
        run_dir: The run whose classifier is used. If it has none, the released classifier stands in.

    Returns:
        A function that takes a margin and returns 40 probabilities of a mask, and a phrase that says whose it is.
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
                # Without a wide border around the photo, a larger margin would have nothing to show.
                photo = np.pad(read_photo(path), ((150, 150), (150, 150), (0, 0)), constant_values=120)
                faces += [(photo, face.box) for face in detector.detect(photo)[:1]]

    def mask_probabilities(margin: float) -> np.ndarray:
        crops = [fit_to_input(boxes.crop_face(photo, box, margin), classifier.input_size) for photo, box in faces]
        return classifier(np.stack(crops).astype("float32"))[:, 0]

    return mask_probabilities, "the one you trained." if is_trained else "the released one."
