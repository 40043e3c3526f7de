"""Checks for the exercises of lesson 01: load the data."""

from pathlib import Path

import numpy as np

from .grading import NotYet, call, call_for_array, graded, percent, reject, same


@graded
def size(answer):
    """The side in pixels with a quarter of the work that there is at 224."""
    reject(answer, {"a quarter of the side is a sixteenth of the pixels: height and width both shrink.": 56})
    if answer != 112:
        raise NotYet(f"at {answer:g} pixels, the work is {percent(answer**2 / 224**2)} of that at 224.")
    return "half the side, a quarter of the pixels, a quarter of the work."


@graded
def label_of(function):
    """A function that reads a photo's class from its path."""
    folder = Path("my_photos")
    found = call(function, folder / "with_mask" / "ada.jpg", folder)
    if isinstance(found, Path):
        raise NotYet("this is a path. The label is a text: a path's `.name`, or one of its `.parts`.")
    if found == "ada.jpg":
        raise NotYet("this is the name of the file, not that of its class folder.")
    if found != "with_mask":
        raise NotYet(f"my_photos/with_mask/ada.jpg is of the class with_mask, not {found!r}.")
    found = call(function, folder / "with_mask" / "monday" / "ada.jpg", folder)
    if found != "with_mask":
        raise NotYet(
            f"my_photos/with_mask/monday/ada.jpg is of the class with_mask, not {found!r}. A class folder may hold "
            "folders: take the first part of the path below `folder`, not the last but one."
        )
    folder = Path("data") / "2026" / "my_photos"
    found = call(function, folder / "without_mask" / "bob.jpg", folder)
    if found != "without_mask":
        raise NotYet(
            f"in data/2026/my_photos, the photo without_mask/bob.jpg gets the label {found!r}. Do not count from the "
            "beginning of the path: `path.relative_to(folder)` first."
        )
    return "the first folder below the data set is the class, wherever the data set lies."


@graded
def scale(function):
    """A function from pixels 0…255 to float32 −1…1."""
    pixels = np.array([[[0, 128, 255], [255, 51, 0]]], np.uint8)
    expected = pixels / 127.5 - 1
    found = call_for_array(function, pixels, shape=pixels.shape)
    if found.dtype == np.uint8:
        raise NotYet("the values are still uint8, which knows no fractions and nothing below 0.")
    mistakes = {
        "0 becomes 0 and 255 becomes 1. That is 0…1; MobileNetV2 was trained on −1…1.": pixels / 255,
        "0 becomes −0.5 and 255 becomes 0.5. That is half of the range that MobileNetV2 knows.": pixels / 255 - 0.5,
        "255 becomes 0.992, which is nearly right. Half of 255 is 127.5, not 128.": pixels / 128 - 1,
        "the values are right, but red and blue have changed places. Leave the channels as they are.": expected[
            ..., ::-1
        ],
    }
    reject(found, mistakes)
    if not same(found, expected):
        values = ", ".join(f"{value:g}" for value in found[0, 0])
        raise NotYet(f"0, 128 and 255 should become −1, 0.00392 and 1, not {values}.")
    if found.dtype != np.float32:
        raise NotYet(f"the values are right, but of the type {found.dtype}; the network wants float32.")
    return "0 becomes −1, 255 becomes 1, and the channels stay in their order."


@graded
def one_hot(function):
    """A function from labels to rows with a single 1."""
    found = call_for_array(function, ["without_mask", "with_mask", "without_mask"], ["with_mask", "without_mask"])
    expected = np.array([[0, 1], [1, 0], [0, 1]])
    if found.shape != (3, 2):
        raise NotYet(f"a row for each of 3 labels, a column for each of 2 classes: (3, 2), not {found.shape}.")
    mistake = (
        "the columns are swapped. The first label is without_mask, the second class: its 1 is in the second column."
    )
    reject(found, {mistake: 1 - expected})
    if not same(found, expected):
        raise NotYet(f"each row should hold one 1, in the column of its class. You give {found.tolist()}.")
    found = call_for_array(function, ["cat", "owl"], ["cat", "dog", "owl"])
    if not same(found, [[1, 0, 0], [0, 0, 1]]):
        raise NotYet(
            f"with the classes cat, dog and owl, the labels cat and owl give {found.tolist()}. Use `classes`, whatever "
            "they are and however many."
        )
    return "one 1 in each row, in the column of its class, for two classes and for three."


@graded
def is_test(function):
    """A function that says of each photo whether it is in the test part."""
    people = np.random.default_rng(271828).permutation(np.repeat([f"s{number:02d}" for number in range(1, 21)], 10))
    names = np.unique(people)
    found = call_for_array(function, people, 0, shape=people.shape)
    if found.dtype != bool:
        raise NotYet(f"the array should hold True and False, not {found.dtype}.")
    on_both = [name for name in names if 0 < found[people == name].sum() < 10]
    if on_both:
        raise NotYet(
            f"{len(on_both)} of 20 people are on both sides, {on_both[0]} for one. You deal photos. Deal people, then ask "
            "of each photo whether its person is among the chosen (`np.isin`)."
        )
    reject(found.sum(), {"80% are in the test part. Have True and False changed places?": 160})
    if found.sum() != 40:
        raise NotYet(
            f"a fifth of the people should be in the test part; you have {percent(found.mean())} of them there."
        )
    if not same(found, call(function, people, 0)):
        raise NotYet("the same seed gives another split the second time. Draw with `np.random.default_rng(seed)`.")
    if all(same(found, call(function, people, seed)) for seed in range(1, 6)):
        raise NotYet("every seed gives the same people. Draw them at random, with `np.random.default_rng(seed)`.")
    return "four people of twenty in the test part, all their photos with them, and nobody on two sides."
