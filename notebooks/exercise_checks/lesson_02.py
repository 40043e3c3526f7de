"""Checks for the exercises of lesson 02: augment the data."""

import numpy as np

from .grading import NotYet, call_for_array, graded, percent, reject, same


@graded
def factor(answer):
    """The factor that makes `RandomRotation` rotate by up to 30° in either direction."""
    mistakes = {
        "this asks for up to 30 full turns. The layer expects a fraction of a full turn, which is 360°.": 30,
        "this is 30° in radians. The layer expects a fraction of a full turn, which is 360°.": np.pi / 6,
        "a full turn is 360°, not 180°, so this rotates the photo by up to 60° in either direction.": 30 / 180,
    }
    reject(answer, mistakes)
    if not same(answer, 30 / 360):
        raise NotYet(f"this rotates the photo by up to {360 * answer:g}° in either direction.")
    return "that's a twelfth of a full turn, or 30° in either direction."


@graded
def flip(function):
    """A function that returns the mirror image of a photo."""
    photo = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    found = call_for_array(function, photo, shape=photo.shape)
    mistakes = {
        "the photo hasn't changed.": photo,
        "the photo is upside down: you reversed the rows. The columns are the second axis.": photo[::-1],
        "the photo is rotated by 180°: you reversed rows and columns. Reverse only the columns.": photo[::-1, ::-1],
        "red and blue are swapped: you reversed the channels. The columns are the second axis.": photo[..., ::-1],
    }
    reject(found, mistakes)
    if not same(found, photo[:, ::-1]):
        raise NotYet("left and right should be swapped, and nothing else should change.")
    return "left and right are swapped, but top and bottom aren't, and neither are the colors."


@graded
def rain(function):
    """A function that adds streaks of rain to a photo."""
    photo = np.full((96, 80, 3), 120, np.uint8)
    photo[:, 40:] = 250
    first, again, other = (
        call_for_array(function, photo, np.random.default_rng(seed), shape=photo.shape) for seed in (0, 0, 1)
    )
    if first.dtype != np.uint8:
        raise NotYet(
            f"the rainy photo is {first.dtype}, but photos are uint8. Use `np.clip(…, 0, 255).astype(np.uint8)`."
        )
    reject(first, {"it isn't raining: the photo hasn't changed.": photo})
    if not same(first, again):
        raise NotYet("two generators with the same seed give different rain. Get every random number from `rng`.")
    reject(first, {"the rain is the same in every photo. Get the places of the streaks from `rng`.": other})
    if (photo[:, 40:].astype(int) - first[:, 40:] > 150).any():
        raise NotYet(
            "where the photo was bright, the rain is black. In uint8, 250 + 10 is 4, because it starts over after 255. "
            "Use `astype(float)` first and clip at the end."
        )
    covered = (first != photo).any(axis=-1).mean()
    if covered > 0.6:
        raise NotYet(f"{percent(covered)} of the photo is covered. Leave enough of the face to recognize.")
    return (
        f"every seed gives a different shower, {percent(covered)} of the photo is covered, and it is still RGB uint8."
    )


@graded
def style(answer):
    """The style of a red cloth mask with a checked pattern."""
    if answer.kind != "cloth":
        raise NotYet(f"the kind should be 'cloth', not {answer.kind!r}.")
    if answer.pattern != "checks":
        raise NotYet(f"the pattern should be 'checks', not {answer.pattern!r}.")
    red, green, blue = answer.color
    if max(answer.color) <= 1:
        raise NotYet(f"{answer.color} is practically black: here, colors go from 0 to 255, not from 0 to 1.")
    if blue > 150 and blue > 2 * max(red, green):
        raise NotYet(f"{answer.color} is blue. The order is red, green, blue. (OpenCV has it the other way around.)")
    if not (red > 150 and red > 2 * max(green, blue)):
        raise NotYet(f"{answer.color} isn't clearly red. Make the first number large and the other two small.")
    return "red checks. The network should recognize this mask as easily as a light blue one."
