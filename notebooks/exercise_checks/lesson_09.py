"""Checks for the exercises of lesson 09: make it fast."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, same


@graded
def milliseconds_per_frame(answer):
    """The mean time per frame, in milliseconds."""
    mistakes = {
        "that's the time for a frame that is searched for faces. Two out of three frames aren't.": 14,
        "that's the time for a frame that isn't searched for faces. Every third frame takes 6 ms more.": 8,
        "there are four faces, and each of them is classified in every frame.": 4,
        "two out of three frames skip the search, but none skips the classification.": 14 / 3,
        "it's the search that two out of three frames skip. The faces are classified in all of them.": 6 + 8 / 3,
        "that's the time for three frames. How long does one take?": 30,
        "only a third of the frames are searched, not two thirds.": 12,
    }
    reject(answer, mistakes)
    if not same(float(answer), 10.0):
        raise NotYet(
            f"three frames take 6 ms for one search and 3 · 4 · 2 ms for the faces, so one doesn't take {answer:g} ms."
        )
    return "10 ms instead of 14. With many faces, most of the time goes into classifying, not into the search."


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
        raise NotYet("`work` is never called. Call it once to warm up, and then once per round.")
    if not asked:
        raise NotYet(
            "you never used the clock that was passed to your function. `clock()` returns the time in seconds."
        )
    if len(took) == 5:
        raise NotYet(
            "there is no warm-up. The first call takes 300 ms here because it gets everything ready, and you counted it. "
            "Call `work()` once before you measure."
        )
    if len(took) < 5:
        raise NotYet(f"`work` is called {len(took)} times. A warm-up and 5 rounds make 6 calls.")
    found, rounds = float(found), took[-5:]
    right = float(np.median(rounds))
    mistakes = {
        "these are seconds. There are 1,000 milliseconds in a second.": right / 1000,
        f"this is the mean, and one disturbed round of {max(rounds)} ms pulls it up. Take the median.": np.mean(rounds),
        "this is the mean, and it includes the warm-up. Take the median of the rounds.": np.mean(took),
        "you counted the warm-up, too. Its time doesn't belong with the times of the rounds.": np.median(took),
        "this is the fastest round. Take the median, which is the middle one.": min(rounds),
        "this is the slowest round, the one that was disturbed. Take the median.": max(rounds),
        "this is the total time of all rounds. Time each round by itself.": sum(rounds),
        "this is just the last round. Keep the time of each, and then take the median.": rounds[-1],
    }
    if not same(found, right):
        reject(found, mistakes)
        listed = ", ".join(map(str, rounds))
        raise NotYet(f"after the warm-up, the rounds take {listed} ms. Their median is {right:g}, not {found:.4g}.")
    calls = len(took)
    took.clear()
    call(function, work, 3, clock)
    if len(took) != calls - 2:
        raise NotYet(
            f"with 3 rounds instead of 5, there should be 2 calls fewer than {calls}, but there are {len(took)}."
        )
    return f"{right:g} ms. The slow first call and the disturbed round of {max(rounds)} ms make no difference."


@graded
def costs(function):
    """A function that returns the price of a call and the price of a face, in milliseconds."""
    faces = np.array([1, 2, 4, 8, 16, 32])
    line = 30 + 2.0 * faces
    found = call_for_array(function, faces, line, shape=(2,))
    mistakes = {
        "the two are in the wrong order. `np.polyfit` returns the slope first, but you should return the price of a call first.": [
            2,
            30,
        ],
        "one face alone takes 32 ms, but that's the price of the call *and* of a face.": [32, 2],
    }
    reject(found, mistakes)
    if same(found[0], 0.0):
        raise NotYet(
            "your line goes through 0, as if a call with no faces took no time. Leave room for the price of a call."
        )
    reject(
        found[1],
        {
            "dividing the time by the faces spreads the price of the call over the faces. Fit a line, and use its slope.": np.mean(
                line / faces
            ),
            "this is the time per face in the largest batch, which includes a share of the price of the call. Use the slope.": line[
                -1
            ]
            / 32,
        },
    )
    if not same(found, [30, 2]):
        raise NotYet(f"for calls that take 30 ms plus 2 ms per face, you return {found[0]:.4g} and {found[1]:.4g} ms.")
    measured = np.array([33.0, 33, 40, 45, 64, 93])
    slope, fixed = np.polyfit(faces, measured, 1)
    found = call_for_array(function, faces, measured, shape=(2,))
    if not same(found, [fixed, slope]):
        raise NotYet(
            f"right for points on a line. But measured times scatter, and then the best line has {fixed:.2f} and "
            f"{slope:.2f}, not {found[0]:.2f} and {found[1]:.2f}. Use all batches: `np.polyfit(…, 1)`."
        )
    return "30 ms per call and 2 ms per face. So a face costs 32 ms alone, but only about 3 in a batch of 32."


@graded
def front(function):
    """A function that returns the names of the variants that no other one beats."""
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
        raise NotYet(f"return a list of names, not the text {answer!r}.")
    found = set(answer)
    if not found <= set(table):
        raise NotYet(f"return the names of variants, such as 'tiny', not {next(iter(found - set(table)))!r}.")
    alone = {
        "tiny": "this is just the fastest one. A slower one that is right more often is also worth choosing.",
        "large": "this is just the most accurate one. A faster one that is right less often is also worth choosing.",
        "packed": "this is just the one with the smallest file. A larger one that is faster is also worth choosing.",
    }
    if len(found) == 1 and found <= set(alone):
        raise NotYet(alone[found.pop()])
    reasons = {
        "odd": "small is faster, smaller, *and* right more often",
        "late": "large is just as small, right just as often, and faster. A variant that is better in one respect and equal in the rest beats it",
        "dull": "large is just as small, just as fast, and right more often. A variant that is better in one respect and equal in the rest beats it",
    }
    for name, reason in reasons.items():
        if name in found:
            raise NotYet(f"{name!r} doesn't belong on the front: {reason}.")
    if "packed" not in found:
        raise NotYet(
            "'packed' is missing. Small is faster and right more often, but its file is larger. Look at all three."
        )
    for name in ("tiny", "small", "large"):
        if name not in found:
            raise NotYet(f"{name!r} is missing. Nothing that is just as fast is right as often.")
    twins = {"one": (3.0, 5.0, 0.9), "other": (3.0, 5.0, 0.9), "worse": (4.0, 5.0, 0.8)}
    found = set(call(function, dict(twins)))
    if found != {"one", "other"}:
        raise NotYet(
            "if two variants have exactly the same numbers, neither beats the other, so both stay. To beat another variant, "
            "one has to be at least as good in everything and better in something."
        )
    return "tiny, small, large, and packed: four to choose from, and three that nobody needs."


@graded
def to_int8(function):
    """A function that returns weights as 8-bit whole numbers, and the scale of each channel."""
    weights = np.random.default_rng(0).uniform(-1, 1, size=(6, 3)) * [1, 0.1, 0.01]
    weights[0] = [1.0, -0.12, 0.012]  # the largest of their channels; one of them is negative
    answer = call(function, weights)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise NotYet("return two things: the whole numbers, and the scale of each channel.")
    numbers, scale = (np.asarray(part) for part in answer)
    if numbers.shape != weights.shape:
        raise NotYet(
            f"for 6 × 3 weights, the whole numbers should have the shape (6, 3), not {numbers.shape}. They come first."
        )
    if numbers.dtype != np.int8:
        raise NotYet(
            f"the numbers have the type {numbers.dtype}. Make them int8, which takes 8 bits: `.astype(np.int8)`."
        )
    largest = np.abs(weights).max(axis=0)
    if scale.size == 1:
        raise NotYet(
            "you used one scale for all channels, so the third one, whose weights are small, is left with numbers from "
            f"{numbers[:, 2].min()} to {numbers[:, 2].max()}. Give each channel its own scale: `axis=0`."
        )
    if scale.size == 6:
        raise NotYet("this is one scale per row. Here, a channel is a column: `axis=0`.")
    if scale.size != 3:
        raise NotYet(f"three channels need three scales, not {scale.size}.")
    scale = scale.reshape(3).astype(float)
    mistakes = {
        "the scale is the wrong way around. It is the size of *one* step: the largest weight / 127.": 127 / largest,
        "a weight can be negative. Find the largest one *ignoring the sign*: `np.abs`.": weights.max(axis=0) / 127,
        "if you divide by 128, the largest weight becomes 128, but an int8 ends at 127.": largest / 128,
        "this is the largest weight. It becomes 127, so one step is 1/127 of it.": largest,
        "these scales run from the smallest weight to the largest. Here, 0 stays 0, so divide the largest weight, ignoring the sign, by 127.": np.ptp(
            weights, axis=0
        )
        / 255,
    }
    reject(scale, mistakes)
    if not same(scale / largest * 127, np.ones(3)):
        raise NotYet(
            f"the largest weight in the first channel is 1, so its scale is 1 / 127 = 0.00787, not {scale[0]:.5f}."
        )
    if np.array_equal(numbers, np.trunc(weights / scale)) or np.array_equal(numbers, np.floor(weights / scale)):
        raise NotYet(
            "the digits after the decimal point are cut off, so a weight can be off by a whole step. Round first: `np.round`."
        )
    off = np.abs(numbers * scale - weights) / scale
    if off.max() > 0.5 + 1e-6:
        row, column = (int(place) for place in np.unravel_index(off.argmax(), off.shape))
        raise NotYet(
            f"{weights[row, column]:.4f} comes back as {numbers[row, column] * scale[column]:.4f}. It should be off by at "
            f"most half a step, {scale[column] / 2:.4f}."
        )
    numbers, scale = call(function, np.array([[0.0, 1.0], [0.0, -2.0]]))
    if not np.all(np.asarray(scale) > 0) or np.asarray(numbers)[:, 0].any():
        raise NotYet(
            "right, but a channel of zeros gets a scale of 0, and 0 / 0 is not a number. Give such a channel a scale of 1."
        )
    return f"a quarter of the size of float32, and no weight is off by more than {off.max():.2f} of a step."


@graded
def exponent(function):
    """A function that returns the slope of a line in a plot with logarithmic axes."""
    size = np.array([64.0, 96, 128, 192, 224])
    time = 0.003 * size**2
    found = float(call(function, size, time))
    mistakes = {
        "this is the slope of the values themselves. Take the logarithms of both first.": np.polyfit(size, time, 1)[0],
        "you took the logarithms of only the times. Take those of the sizes, too.": np.polyfit(size, np.log(time), 1)[
            0
        ],
        "you took the logarithms of only the sizes. Take those of the times, too.": np.polyfit(np.log(size), time, 1)[
            0
        ],
        "your axes are swapped: the time grows with the size, not the size with the time.": 0.5,
        "this is where the line starts, not how steep it is. `np.polyfit` returns the slope first.": np.log(0.003),
        "this is the quotient of two logarithms. The slope is the quotient of two *differences*: `np.polyfit`.": np.mean(
            np.log(time) / np.log(size)
        ),
    }
    reject(found, mistakes)
    if not same(found, 2.0):
        raise NotYet(f"a time that grows with the square of the size has a slope of 2, not {found:.3f}.")
    found = float(call(function, size, 5 * size))
    if not same(found, 1.0):
        raise NotYet(f"a time that doubles when the size doubles has a slope of 1, not {found:.3f}.")
    measured = np.array([13.0, 26, 52, 105, 160])
    best = np.polyfit(np.log(size), np.log(measured), 1)[0]
    found = float(call(function, size, measured))
    if not same(found, float(best)):
        raise NotYet(
            f"right for points on a line. But measured times scatter, and then the best line has a slope of {best:.3f}, "
            f"not {found:.3f}. Use all points: `np.polyfit(…, 1)`."
        )
    return (
        "2 if the time grows with the square of the size, and 1 if it grows in proportion. The slope is the exponent."
    )


@graded
def has_camera(function):
    """A function that tells from a page's address whether it may use the camera, as True or False."""
    addresses = {
        "https://ada.github.io/masks/": (True, "this address is encrypted, so nobody can read the camera's pictures."),
        "http://localhost:8000": (True, "a computer calls itself `localhost`, so nothing leaves it."),
        "http://127.0.0.1:8000/page/": (True, "`127.0.0.1` is another name for `localhost`."),
        "http://192.168.1.20:8000": (False, "this isn't encrypted, and the page comes from another computer."),
        "http://ada.github.io/masks/": (False, "without the s in https, this isn't encrypted."),
        "http://localhost.example.org/": (False, "this computer's name only begins with `localhost`."),
        "http://192.168.1.20:8000/localhost/": (
            False,
            "here, `localhost` is the name of a folder, not of the computer.",
        ),
        "http://192.168.1.20/https/": (False, "here, `https` is the name of a folder. What comes before `://` counts."),
    }
    for address, (expected, reason) in addresses.items():
        found = call(function, address)
        if not isinstance(found, bool | np.bool_):
            raise NotYet(f"for {address}, your function returns {found!r}. It should return True or False.")
        if found != expected:
            raise NotYet(f"{address} {'has' if expected else 'has no'} camera: {reason}")
    return "https, or the computer itself. That's why the camera works on your computer, but not on your phone."
