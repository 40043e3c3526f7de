"""Checks for the exercises of lesson 05: evaluate the classifier."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, percent, reject, same


@graded
def threshold(answer, masked, bare):
    """The threshold that finds most masks while one bare face in ten at most is called masked."""
    found, false = (masked >= answer).mean(), (bare >= answer).mean()
    if false > 0.1:
        raise NotYet(f"{percent(false)} of the bare faces are called masked, and 10 % are allowed. Ask for more.")
    most = max((masked >= value).mean() for value in masked if (bare >= value).mean() <= 0.1)
    if found < most:
        raise NotYet(
            f"{percent(false)} of the bare faces are called masked, as wanted. But only {percent(found)} of the masks are "
            f"found; a lower threshold finds {percent(most)} within the same limit."
        )
    return f"{percent(found)} of the masks found, {percent(false)} of the bare faces called masked."


@graded
def precision_and_recall(function):
    """A function that gives precision and recall of class 0."""
    counts = np.array([[30, 10], [20, 140]])
    precision, recall = 30 / 50, 30 / 40
    found = call_for_array(function, counts, shape=(2,))
    swapped = "precision and recall have changed places. Precision is about all *called* masked (a column), recall about all that *are* (a row)."
    mistakes = {
        swapped: [recall, precision],
        "this is right for class 1, the bare faces. Class 0 is asked for.": [140 / 150, 140 / 160],
        "both are the accuracy: all hits of both classes, among all photos.": [0.85, 0.85],
    }
    reject(found, mistakes)
    if not same(found[1], recall):
        raise NotYet(f"40 faces wear a mask and 30 of them were found: the recall is {recall:g}, not {found[1]:.2f}.")
    if not same(found[0], precision):
        raise NotYet(
            f"50 faces are called masked and 30 of them are: the precision is {precision:g}, not {found[0]:.2f}."
        )
    return "of all called masked, 60 % are; of all that are masked, 75 % were found."


@graded
def fold(answer, person, accuracy):
    """The number of each photo's fold, and the function `accuracy` of the cell above."""
    people = np.unique(person)
    torn = sum(len(np.unique(answer[person == number])) > 1 for number in people)
    found = accuracy(answer)
    if torn:
        raise NotYet(
            f"{percent(found)}, but {torn} of {len(people)} people are in several folds: the nearest photo is another one "
            "of the same person. It is people that should be dealt into folds."
        )
    if len(np.unique(answer)) != 5:
        raise NotYet(f"five folds are wanted; these are {len(np.unique(answer))}.")
    return f"{percent(found)}, no better than a coin, for there is no mask to be seen in these numbers. All the rest was the leak."


@graded
def interval(function):
    """A function that gives the lower and the upper end of a 95 % interval."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(100), rng.integers(3, 8, size=100))
    correct = (rng.random(100) < 0.8)[person]  # a person's photos succeed or fail together
    ends = np.array([call_for_array(function, correct, person, seed, shape=(2,)) for seed in range(5)])
    low, high = ends[0].tolist()
    value, width = correct.mean(), float(np.diff(ends, axis=1).mean())
    if not (0 <= ends).all() or not (ends <= 1).all() or width < 0:
        raise NotYet(f"the lower end comes first, and accuracies lie between 0 and 1: not {low:.2f} and {high:.2f}.")
    if width < 1e-9:
        raise NotYet(
            "every draw gives the same accuracy, and so the interval is a point. Draw *with* replacement, some people "
            "twice, some not at all: `rng.choice(people, len(people))`."
        )
    if not low < value < high:
        raise NotYet(f"the accuracy itself, {value:.2f}, is not between {low:.2f} and {high:.2f}.")
    # The width is 0.16 over people, 0.07 over photos; 0.13 from percentiles 5 and 95, 0.21 from 0.5 and 99.5.
    if width < 0.1:
        raise NotYet(
            f"{low:.3f} to {high:.3f} is too narrow. A person's photos succeed or fail together here. Draw people, and "
            "take all photos of each."
        )
    if not 0.146 < width < 0.18:
        raise NotYet(
            f"{low:.3f} to {high:.3f} is too {'narrow' if width < 0.16 else 'wide'}. Draw as many people as there are, "
            "1,000 times; the middle 95 % lie between the percentiles 2.5 and 97.5."
        )
    if not same(call(function, correct, person, 0), [low, high]):
        raise NotYet("the same seed gives another interval the second time. Draw with `np.random.default_rng(seed)`.")
    return f"{low:.2f} to {high:.2f} for an accuracy of {value:.2f}: a hundred people do not say more than that."


@graded
def occlusion(function):
    """A function that gives a map of how much each cell of a photo matters."""
    photo = np.full((48, 32, 3), 128, np.uint8)
    photo[32:40, 8:16] = 255

    def classify(pixels):
        if np.shape(pixels) != photo.shape:
            raise NotYet(f"`classify` wants the whole photo, {photo.shape}; it was given the shape {np.shape(pixels)}.")
        return 0.2 + 0.6 * float((np.asarray(pixels)[32:40, 8:16] > 200).mean())

    found = call_for_array(function, classify, photo, 8)
    if found.shape == (4, 6):
        raise NotYet("rows and columns have changed places: a photo has the shape (height, width, 3).")
    if found.shape != (6, 4):
        raise NotYet(f"48 × 32 pixels in cells of 8 make a map of the shape (6, 4), not {found.shape}.")
    expected = np.zeros((6, 4))
    expected[4, 1] = 0.6
    mistakes = {
        "the sign is the wrong way round: a cell that matters makes the probability fall, and counts as positive.": -expected,
        "these are the probabilities. How far has each fallen from that of the whole photo?": 0.8 - expected,
    }
    reject(found, mistakes)
    if np.isclose(found, 0.6).sum() > 1:
        raise NotYet(
            "cells stay covered: each one after the first that matters seems to matter. Take a new copy each time."
        )
    if not same(found, expected):
        row, column = (int(place) for place in np.unravel_index(found.argmax(), found.shape))
        raise NotYet(f"one cell matters, that in row 4, column 1. Your map says row {row}, column {column}.")
    return "covering the one cell that matters costs 0.6, any other one nothing."
