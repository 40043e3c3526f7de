"""Checks for the exercises of lesson 02: augment the data."""

import numpy as np

from .grading import NotYet, call_for_array, graded, percent, reject, same


@graded
def factor(answer):
    """What `RandomRotation` wants for up to 30 degrees either way."""
    mistakes = {
        "this asks for up to 30 full turns. The layer wants a share of the full turn, which has 360°.": 30,
        "this is 30° in radians. The layer wants a share of the full turn, which has 360°.": np.pi / 6,
        "a full turn has 360°, not 180: with this, the photo turns by up to 60° either way.": 30 / 180,
    }
    reject(answer, mistakes)
    if not same(answer, 30 / 360):
        raise NotYet(f"with this, the photo turns by up to {360 * answer:g}° either way.")
    return "a twelfth of the full turn, 30° either way."


@graded
def flip(function):
    """A function that gives a photo's mirror image."""
    photo = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    found = call_for_array(function, photo, shape=photo.shape)
    mistakes = {
        "nothing has changed.": photo,
        "the photo stands on its head: you reversed the rows. Columns are the second axis.": photo[::-1],
        "the photo is turned by 180°: you reversed rows and columns. Columns alone will do.": photo[::-1, ::-1],
        "red and blue have changed places: you reversed the channels. Columns are the second axis.": photo[..., ::-1],
    }
    reject(found, mistakes)
    if not same(found, photo[:, ::-1]):
        raise NotYet("left and right should change places, and nothing else.")
    return "left and right have changed places; top and bottom have not, and neither have the colors."


@graded
def rain(function):
    """A street fault of your own: streaks of rain."""
    photo = np.full((96, 80, 3), 120, np.uint8)
    photo[:, 40:] = 250
    first, again, other = (
        call_for_array(function, photo, np.random.default_rng(seed), shape=photo.shape) for seed in (0, 0, 1)
    )
    if first.dtype != np.uint8:
        raise NotYet(
            f"the rainy photo holds {first.dtype}. A photo holds uint8: `np.clip(…, 0, 255).astype(np.uint8)`."
        )
    reject(first, {"it is not raining: the photo is as it was.": photo})
    if not same(first, again):
        raise NotYet("two generators with the same seed give different rain. Draw every random number from `rng`.")
    reject(first, {"the rain is the same in every photo. Draw the places of the drops from `rng`.": other})
    if (photo[:, 40:].astype(int) - first[:, 40:] > 150).any():
        raise NotYet(
            "where the photo was bright, drops are black. 250 + 10 is 4 in uint8, which begins again after 255. Compute "
            "with `astype(float)`, then clip."
        )
    covered = (first != photo).any(axis=-1).mean()
    if covered > 0.6:
        raise NotYet(f"{percent(covered)} of the photo are covered. Leave enough of the face to be recognized.")
    return f"another shower with every seed, {percent(covered)} of the photo covered, and it is still RGB uint8."


@graded
def style(answer):
    """The style of a red mask of cloth with checks."""
    if answer.kind != "cloth":
        raise NotYet(f"the mask should be of cloth; this one is {answer.kind!r}.")
    if answer.pattern != "checks":
        raise NotYet(f"the pattern should be checks; this one is {answer.pattern!r}.")
    red, green, blue = answer.color
    if max(answer.color) <= 1:
        raise NotYet(f"{answer.color} is as good as black: colors go from 0 to 255 here, not from 0 to 1.")
    if blue > 150 and blue > 2 * max(red, green):
        raise NotYet(f"{answer.color} is blue. The order is red, green, blue; OpenCV alone has it the other way round.")
    if not (red > 150 and red > 2 * max(green, blue)):
        raise NotYet(f"{answer.color} is not clearly red: much of the first number, little of the others.")
    return "red checks. The network should find it as easy as a light blue one."
