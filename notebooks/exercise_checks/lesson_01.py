"""Checks for the exercises of lesson 01: load the data."""

from pathlib import Path

import numpy as np

from .grading import NotYet, call, call_for_array, graded, percent, reject, same


@graded
def size(answer):
    """The photo size, in pixels, that takes a quarter of the work of 224."""
    reject(answer, {"a quarter of the side is a sixteenth of the pixels, because height and width both shrink.": 56})
    if answer != 112:
        raise NotYet(
            f"at {answer:g} pixels, the network does {percent(answer**2 / 224**2)} of the work that it does at 224."
        )
    return "half the side means a quarter of the pixels, and so a quarter of the work."


@graded
def label_of(function):
    """A function that reads a photo's class from its path."""
    folder = Path("my_photos")
    found = call(function, folder / "with_mask" / "ada.jpg", folder)
    if isinstance(found, Path):
        raise NotYet("this is a path, but a label is a string. Use a path's `.name` or one of its `.parts`.")
    if found == "ada.jpg":
        raise NotYet("this is the name of the file, not of its class folder.")
    if found != "with_mask":
        raise NotYet(f"my_photos/with_mask/ada.jpg belongs to the class with_mask, not {found!r}.")
    found = call(function, folder / "with_mask" / "monday" / "ada.jpg", folder)
    if found != "with_mask":
        raise NotYet(
            f"my_photos/with_mask/monday/ada.jpg belongs to the class with_mask, not {found!r}. A class folder can "
            "contain other folders, so take the first part of the path below `folder`, not the second to last."
        )
    folder = Path("data") / "2026" / "my_photos"
    found = call(function, folder / "without_mask" / "bob.jpg", folder)
    if found != "without_mask":
        raise NotYet(
            f"in the data set data/2026/my_photos, the photo without_mask/bob.jpg gets the label {found!r}. Don't "
            "count from the start of the path. Use `path.relative_to(folder)` first."
        )
    return "the first folder inside the data set is the class, no matter where the data set is."


@graded
def scale(function):
    """A function that scales pixels in 0…255 to float32 values in −1…1."""
    pixels = np.array([[[0, 128, 255], [255, 51, 0]]], np.uint8)
    expected = pixels / 127.5 - 1
    found = call_for_array(function, pixels, shape=pixels.shape)
    if found.dtype == np.uint8:
        raise NotYet("the values are still uint8, which can't hold fractions or negative numbers.")
    mistakes = {
        "0 becomes 0 and 255 becomes 1. That is 0…1, but MobileNetV2 was trained on −1…1.": pixels / 255,
        "0 becomes −0.5 and 255 becomes 0.5. That is only half of MobileNetV2's range.": pixels / 255 - 0.5,
        "255 becomes 0.992, which is almost right. Half of 255 is 127.5, not 128.": pixels / 128 - 1,
        "the values are right, but red and blue are swapped. Leave the channels as they are.": expected[..., ::-1],
    }
    reject(found, mistakes)
    if not same(found, expected):
        values = ", ".join(f"{value:g}" for value in found[0, 0])
        raise NotYet(f"0, 128, and 255 should become −1, 0.00392, and 1, not {values}.")
    if found.dtype != np.float32:
        raise NotYet(f"the values are right, but their type is {found.dtype}. The network expects float32.")
    return "0 becomes −1, 255 becomes 1, and the channels stay in order."


@graded
def one_hot(function):
    """A function that turns labels into rows with a single 1."""
    found = call_for_array(function, ["without_mask", "with_mask", "without_mask"], ["with_mask", "without_mask"])
    expected = np.array([[0, 1], [1, 0], [0, 1]])
    if found.shape != (3, 2):
        raise NotYet(f"3 labels and 2 classes make 3 rows and 2 columns, so the shape is (3, 2), not {found.shape}.")
    mistake = (
        "the columns are swapped. The first label is without_mask, which is the second class, so its 1 belongs in the "
        "second column."
    )
    reject(found, {mistake: 1 - expected})
    if not same(found, expected):
        raise NotYet(f"each row should have a single 1, in the column of its class. You return {found.tolist()}.")
    found = call_for_array(function, ["cat", "owl"], ["cat", "dog", "owl"])
    if not same(found, [[1, 0, 0], [0, 0, 1]]):
        raise NotYet(
            f"with the classes cat, dog, and owl, the labels cat and owl give {found.tolist()}. Your function should "
            "work for any `classes`."
        )
    return "each row has a single 1, in the column of its class, for two classes and for three."


@graded
def is_test(function):
    """A function that says for each photo whether it is in the test set."""
    people = np.random.default_rng(271828).permutation(np.repeat([f"s{number:02d}" for number in range(1, 21)], 10))
    names = np.unique(people)
    found = call_for_array(function, people, 0, shape=people.shape)
    if found.dtype != bool:
        raise NotYet(f"the array should contain True and False, but its type is {found.dtype}.")
    on_both = [name for name in names if 0 < found[people == name].sum() < 10]
    if on_both:
        raise NotYet(
            f"{len(on_both)} of the 20 people are in both sets, for example {on_both[0]}. You chose photos. Choose "
            "people, then find out for each photo whether its person was chosen (`np.isin`)."
        )
    reject(found.sum(), {"80% of the photos are in the test set. Did you swap True and False?": 160})
    if found.sum() != 40:
        raise NotYet(f"a fifth of the people should be in the test set, but yours has {percent(found.mean())} of them.")
    if not same(found, call(function, people, 0)):
        raise NotYet(
            "the same seed gives a different split the second time. Choose with `np.random.default_rng(seed)`."
        )
    if all(same(found, call(function, people, seed)) for seed in range(1, 6)):
        raise NotYet("every seed gives the same people. Choose them at random, with `np.random.default_rng(seed)`.")
    return "four of the twenty people are in the test set with all their photos, and nobody is in both sets."
