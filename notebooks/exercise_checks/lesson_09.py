"""Checks for the exercises of lesson 09: make it fast."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, same


@graded
def milliseconds_per_frame(answer):
    """The mean time of a frame in milliseconds."""
    mistakes = {
        "this is a frame in which faces are searched. Two of three frames do without.": 14,
        "this is a frame in which no faces are searched. Every third one takes 6 ms more.": 8,
        "there are four faces, and each is classified in every frame.": 4,
        "searching is left out in two of three frames, classifying is not.": 14 / 3,
        "it is the search that is left out in two of three frames; the faces are classified in all of them.": 6 + 8 / 3,
        "these are three frames together. How much is that for one?": 30,
        "a third of the frames are searched, not two thirds.": 12,
    }
    reject(answer, mistakes)
    if not same(float(answer), 10.0):
        raise NotYet(
            f"three frames take 6 ms for one search, and 3 · 4 · 2 ms for the faces. One does not take {answer:g} ms."
        )
    return "10 ms instead of 14. With many faces it is no longer the search that takes the time."


@graded
def median_milliseconds(function):
    """A function that measures how long `work()` takes, in milliseconds."""
    now, asked, took = 1000.0, 0, []
    milliseconds = [300, 10, 500, 18, 16, 14, 600, 20, 15, 13, 17]

    def clock():
        nonlocal asked
        asked += 1
        return now

    def work():
        nonlocal now
        took.append(milliseconds[len(took) % len(milliseconds)])
        now += took[-1] / 1000

    found = call(function, work, 5, clock)
    if not took:
        raise NotYet("`work` is never called. Call it once to warm up, then once in each round.")
    if not asked:
        raise NotYet("the clock that you were given is never asked. `clock()` gives the time in seconds.")
    if len(took) == 5:
        raise NotYet(
            "there is no warm-up: the first call takes 300 ms here, since it gets everything ready, and it counts. Call "
            "`work()` once before you measure."
        )
    if len(took) < 5:
        raise NotYet(f"`work` is called {len(took)} times. A warm-up and 5 rounds are 6 calls.")
    found, rounds = float(found), took[-5:]
    right = float(np.median(rounds))
    mistakes = {
        "these are seconds. A second has 1,000 milliseconds.": right / 1000,
        f"this is the mean, and a round that was disturbed, of {max(rounds)} ms, pulls it up. Take the median.": np.mean(
            rounds
        ),
        "this is the mean, and of the warm-up as well. Take the median of the rounds.": np.mean(took),
        "the warm-up counts as well. Its time does not belong among those of the rounds.": np.median(took),
        "this is the quickest round. Half of the rounds should be quicker than the figure: take the median.": min(
            rounds
        ),
        "this is the slowest round, the one that was disturbed. Take the median.": max(rounds),
        "this is the time of all rounds together. Take the time of each.": sum(rounds),
        "this is the last round alone. Keep the time of each, then take the median.": rounds[-1],
    }
    if not same(found, right):
        reject(found, mistakes)
        listed = ", ".join(map(str, rounds))
        raise NotYet(f"after the warm-up the rounds take {listed} ms. Their median is {right:g}, not {found:.4g}.")
    calls = len(took)
    took.clear()
    call(function, work, 3, clock)
    if len(took) != calls - 2:
        raise NotYet(
            f"with 3 rounds in place of 5 there should be 2 calls fewer than {calls}, but there are {len(took)}."
        )
    return f"{right:g} ms. Neither the slow first call nor the disturbed round of {max(rounds)} ms has any say."


@graded
def costs(function):
    """A function that gives the price of a call and that of each face, in milliseconds."""
    faces = np.array([1, 2, 4, 8, 16, 32])
    line = 30 + 2.0 * faces
    found = call_for_array(function, faces, line, shape=(2,))
    mistakes = {
        "the two have changed places: `np.polyfit` gives the slope first. The price of a call is wanted first.": [
            2,
            30,
        ],
        "one face alone takes 32 ms, but that is the price of the call *and* of a face.": [32, 2],
    }
    reject(found, mistakes)
    if same(found[0], 0.0):
        raise NotYet(
            "your line goes through 0, as if a call without any face took no time. Leave room for the price of a call."
        )
    reject(
        found[1],
        {
            "time divided by faces spreads the price of the call over the faces. Fit a line, and take its slope.": np.mean(
                line / faces
            ),
            "this is the time of one face in the largest batch, with a share of the price of the call. Take the slope.": line[
                -1
            ]
            / 32,
        },
    )
    if not same(found, [30, 2]):
        raise NotYet(
            f"calls that take 30 ms and 2 ms for each face are said to take {found[0]:.4g} and {found[1]:.4g} ms."
        )
    measured = np.array([33.0, 33, 40, 45, 64, 93])
    slope, fixed = np.polyfit(faces, measured, 1)
    found = call_for_array(function, faces, measured, shape=(2,))
    if not same(found, [fixed, slope]):
        raise NotYet(
            f"right for points on a line; but times that were measured scatter, and then the best line has {fixed:.2f} and "
            f"{slope:.2f}, not {found[0]:.2f} and {found[1]:.2f}. Use all batches: `np.polyfit(…, 1)`."
        )
    return "30 ms a call, 2 ms a face: alone a face costs 32 ms, in a batch of 32 it costs 3."


@graded
def front(function):
    """A function that gives the names of the variants that no other one beats."""
    table = {
        "late": (12.0, 9.0, 0.98),
        "tiny": (2.0, 4.0, 0.90),
        "odd": (5.0, 6.0, 0.93),
        "large": (9.0, 9.0, 0.98),
        "packed": (6.0, 2.0, 0.92),
        "small": (4.0, 5.0, 0.95),
        "dull": (9.0, 9.0, 0.97),
    }
    answer = call(function, dict(table))
    if isinstance(answer, str):
        raise NotYet(f"a list of names is wanted, not the text {answer!r}.")
    found = set(answer)
    if not found <= set(table):
        raise NotYet(f"the names of variants are wanted, such as 'tiny', not {next(iter(found - set(table)))!r}.")
    alone = {
        "tiny": "this is the quickest one alone. One that is slower, but more often right, is a choice as well.",
        "large": "this is the best one alone. One that is right less often, but quicker, is a choice as well.",
        "packed": "this is the one with the smallest file alone. One that is larger, but quicker, is a choice as well.",
    }
    if len(found) == 1 and found <= set(alone):
        raise NotYet(alone[found.pop()])
    reasons = {
        "odd": "small is quicker, smaller *and* more often right",
        "late": "large is as small, is right as often, and is quicker. One that is better in one thing and equal in the rest beats it",
        "dull": "large is as small, as quick, and more often right. One that is better in one thing and equal in the rest beats it",
    }
    for name, reason in reasons.items():
        if name in found:
            raise NotYet(f"{name!r} should not be among them: {reason}.")
    if "packed" not in found:
        raise NotYet(
            "'packed' is missing: small is quicker and more often right, but its file is larger. Look at all three."
        )
    for name in ("tiny", "small", "large"):
        if name not in found:
            raise NotYet(f"{name!r} is missing: nothing that is as quick is right as often.")
    twins = {"one": (3.0, 5.0, 0.9), "other": (3.0, 5.0, 0.9), "worse": (4.0, 5.0, 0.8)}
    found = set(call(function, dict(twins)))
    if found != {"one", "other"}:
        raise NotYet(
            "of two variants with the very same figures neither beats the other, so both stay. To beat is to be as good in "
            "everything, and better in something."
        )
    return "tiny, small, large and packed: four to choose from, and three that nobody needs."


@graded
def to_int8(function):
    """A function that gives weights as 8-bit whole numbers, and the scale of each channel."""
    weights = np.random.default_rng(0).uniform(-1, 1, size=(6, 3)) * [1, 0.1, 0.01]
    weights[0] = [1.0, -0.12, 0.012]  # the largest of their channels; one of them is negative
    answer = call(function, weights)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise NotYet("two things are wanted: the whole numbers, and the scale of each channel.")
    numbers, scale = (np.asarray(part) for part in answer)
    if numbers.shape != weights.shape:
        raise NotYet(
            f"6 × 3 weights should give whole numbers of the shape (6, 3), not {numbers.shape}. They come first."
        )
    if numbers.dtype != np.int8:
        raise NotYet(f"the numbers are of the type {numbers.dtype}; an int8 takes 8 bits: `.astype(np.int8)`.")
    largest = np.abs(weights).max(axis=0)
    if scale.size == 1:
        raise NotYet(
            "one scale for all channels: the third one, whose weights are small, is left with the numbers "
            f"{numbers[:, 2].min()} to {numbers[:, 2].max()}. Give each channel its own: `axis=0`."
        )
    if scale.size == 6:
        raise NotYet("this is a scale for each row. A channel is a column here: `axis=0`.")
    if scale.size != 3:
        raise NotYet(f"three channels have three scales, not {scale.size}.")
    scale = scale.reshape(3).astype(float)
    mistakes = {
        "the scale is the wrong way round. It is what *one* whole number is worth: the largest weight / 127.": 127
        / largest,
        "a weight may be negative. Take the largest one *without its sign*: `np.abs`.": weights.max(axis=0) / 127,
        "with 128 in place of 127, the largest weight becomes 128, and an int8 ends at 127.": largest / 128,
        "this is the largest weight. It becomes 127, so one whole number is worth a 127th of it.": largest,
        "these are scales from the smallest weight to the largest. Here 0 stays 0: the largest, without sign, / 127.": np.ptp(
            weights, axis=0
        )
        / 255,
    }
    reject(scale, mistakes)
    if not same(scale / largest * 127, np.ones(3)):
        raise NotYet(
            f"the largest weight of the first channel is 1, so its scale is 1 / 127 = 0.00787, not {scale[0]:.5f}."
        )
    if np.array_equal(numbers, np.trunc(weights / scale)) or np.array_equal(numbers, np.floor(weights / scale)):
        raise NotYet("digits are cut off, so a weight may be off by a whole step. Round it first: `np.round`.")
    off = np.abs(numbers * scale - weights) / scale
    if off.max() > 0.5 + 1e-6:
        row, column = (int(place) for place in np.unravel_index(off.argmax(), off.shape))
        raise NotYet(
            f"{weights[row, column]:.4f} comes back as {numbers[row, column] * scale[column]:.4f}. Half a step is allowed, that is "
            f"{scale[column] / 2:.4f}."
        )
    numbers, scale = call(function, np.array([[0.0, 1.0], [0.0, -2.0]]))
    if not np.all(np.asarray(scale) > 0) or np.asarray(numbers)[:, 0].any():
        raise NotYet(
            "right, but a channel of zeros has the scale 0, and 0 / 0 is no number. Give such a channel the scale 1."
        )
    return f"a quarter of the space of float32, and no weight is off by more than {off.max():.2f} of a step."


@graded
def exponent(function):
    """A function that gives the slope of a line in a plot with logarithmic axes."""
    size = np.array([64.0, 96, 128, 192, 224])
    time = 0.003 * size**2
    found = float(call(function, size, time))
    mistakes = {
        "this is the slope of the values themselves. Take the logarithm of both first.": np.polyfit(size, time, 1)[0],
        "only the times are logarithms. Take the logarithm of the sizes as well.": np.polyfit(size, np.log(time), 1)[0],
        "only the sizes are logarithms. Take the logarithm of the times as well.": np.polyfit(np.log(size), time, 1)[0],
        "the axes have changed places: the time grows with the size, not the size with the time.": 0.5,
        "this is where the line begins, not how steep it is. `np.polyfit` gives the slope first.": np.log(0.003),
        "this is the quotient of two logarithms. The slope is that of two *differences*: `np.polyfit`.": np.mean(
            np.log(time) / np.log(size)
        ),
    }
    reject(found, mistakes)
    if not same(found, 2.0):
        raise NotYet(f"a time that grows with the square of the size has the slope 2, not {found:.3f}.")
    found = float(call(function, size, 5 * size))
    if not same(found, 1.0):
        raise NotYet(f"a time that doubles when the size doubles has the slope 1, not {found:.3f}.")
    measured = np.array([13.0, 26, 52, 105, 160])
    best = np.polyfit(np.log(size), np.log(measured), 1)[0]
    found = float(call(function, size, measured))
    if not same(found, float(best)):
        raise NotYet(
            f"right for points on a line; but times that were measured scatter, and then the best line has the slope {best:.3f}, "
            f"not {found:.3f}. Use all points: `np.polyfit(…, 1)`."
        )
    return "2 for a square, 1 for what grows in step: the slope is the exponent."
