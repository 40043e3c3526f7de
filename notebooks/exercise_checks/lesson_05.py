"""Checks for the exercises of lesson 05: evaluate the classifier."""

import json
import sys
from pathlib import Path

import numpy as np

from maskdet_utils import augment, evaluation, paths, sample
from maskdet_utils.classifier import CLASSIFIER, RELEASED, load_classifier

from .grading import NotYet, call, call_for_array, graded, reject, same


@graded
def threshold(answer, masked, bare):
    """The threshold that finds most masks while at most one bare face in ten is called masked."""
    found, false = (masked >= answer).mean(), (bare >= answer).mean()
    if false > 0.1:
        raise NotYet(f"{false:.0%} of the bare faces are called masked, and 10% are allowed. Ask for more.")
    most = most_within(masked, bare, 0.1)
    if found < most:
        raise NotYet(
            f"{false:.0%} of the bare faces are called masked, which is allowed. But only {found:.0%} of the masks are "
            f"found. A lower threshold finds {most:.0%} within the same limit."
        )
    return f"{found:.0%} of the masks found, {false:.0%} of the bare faces called masked."


def most_within(masked, bare, limit):
    """The largest share of masks that a threshold can find while it calls at most `limit` of the bare faces masked."""
    return max([(masked >= value).mean() for value in masked if (bare >= value).mean() <= limit], default=0.0)


@graded
def precision_and_recall(function):
    """A function that gives precision and recall of class 0."""
    counts = np.array([[30, 10], [20, 140]])
    precision, recall = 30 / 50, 30 / 40
    found = call_for_array(function, counts, shape=(2,))
    swapped = "precision and recall are swapped. Precision is about all that are *called* masked (a column), recall about all that *are* (a row)."
    mistakes = {
        swapped: [recall, precision],
        "this is right for class 1, the bare faces. The question is about class 0.": [140 / 150, 140 / 160],
        "both are the accuracy: all hits of both classes among all photos.": [0.85, 0.85],
    }
    reject(found, mistakes)
    if not same(found[1], recall):
        raise NotYet(f"40 faces wear a mask and 30 of them were found: the recall is {recall:g}, not {found[1]:.2f}.")
    if not same(found[0], precision):
        raise NotYet(
            f"50 faces are called masked and 30 of them are: the precision is {precision:g}, not {found[0]:.2f}."
        )
    return "of all called masked, 60% are; of all that are masked, 75% were found."


def own_run(folder: str = "runs/lab") -> Path:
    """The learner's own run, or the released classifier if there is no run yet. Standard error says so then."""
    if (paths.resolve(folder) / CLASSIFIER).is_file():
        return paths.resolve(folder)
    print(f"{folder} holds no classifier yet (notebook 04 makes one). The released one stands in.", file=sys.stderr)
    return RELEASED


def own_answers(run) -> tuple[np.ndarray, np.ndarray]:
    """The mask probabilities that a run's classifier gives to 40 masked and 40 bare faces, all degraded.

    They are of the run's own test set. For the released classifier, which has none, they are of the built-in sample.
    """
    if not isinstance(run, str | Path) or not (paths.resolve(run) / CLASSIFIER).is_file():
        raise NotYet(f"there is no classifier in {run}. Run notebook 04 first, then run this notebook again.")
    run = paths.resolve(run)
    classifier, config = load_classifier(run)
    manifest, about = (run / "01_load_the_data" / name for name in ("manifest.csv", "dataset.json"))
    if manifest.is_file() and about.is_file():
        import pandas as pd

        table = pd.read_csv(manifest)
        table = table[table["split"] == "test"]
        folder = Path(json.loads(about.read_text(encoding="utf-8"))["folder"])
        photos = [[folder / path for path in table["path"][table["label"] == label]] for label in config["classes"][:2]]
    else:
        photos = [sorted((sample.build() / label).glob("*.jpg")) for label in config["classes"][:2]]
    chosen = [of_class[:: max(1, len(of_class) // 40)][:40] for of_class in photos]
    masked, bare = (
        evaluation.classify_photos(classifier, of_class, config["input_size"], change=augment.degrade)[:, 0]
        for of_class in chosen
    )
    return masked, bare


@graded
def best_threshold(function, run):
    """A function that gives the threshold which finds most masks within a limit, and the folder of your run."""
    masked, bare = np.array([0.9, 0.8, 0.7, 0.6, 0.2]), np.array([0.85, 0.75, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])
    for limit in (0.1, 0.2, 0.0):
        _within_limit(call_for_array(function, masked, bare, limit, shape=()), masked, bare, limit, "")
    masked, bare = own_answers(run)
    found = call_for_array(function, masked, bare, 0.05, shape=())
    _within_limit(found, masked, bare, 0.05, "right on made-up faces, but not yet on those of your run: ")
    return "no threshold finds more masks within the limit, not even on the answers of your own classifier."


def _within_limit(found, masked, bare, limit, where):
    false, share = (bare >= found).mean(), (masked >= found).mean()
    if false > limit:
        raise NotYet(
            f"{where}the threshold {float(found):.3f} calls {false:.0%} of the bare faces masked, and {limit:.0%} are allowed."
        )
    most = most_within(masked, bare, limit)
    if share < most:
        raise NotYet(
            f"{where}the threshold {float(found):.3f} keeps the limit of {limit:.0%}, but it finds {share:.0%} of the masks. "
            f"A lower one finds {most:.0%}."
        )


@graded
def fold(answer, person, accuracy):
    """The number of each photo's fold, and the function `accuracy` of the cell above."""
    people = np.unique(person)
    torn = sum(len(np.unique(answer[person == number])) > 1 for number in people)
    found = accuracy(answer)
    if torn:
        raise NotYet(
            f"{found:.0%}, but {torn} of {len(people)} people are in several folds: the nearest photo is another one "
            "of the same person. Deal people into folds, not photos."
        )
    if len(np.unique(answer)) != 5:
        raise NotYet(f"there should be five folds, and these are {len(np.unique(answer))}.")
    return f"{found:.0%}, no better than a coin, because these numbers show no mask. All the rest was the leak."


@graded
def interval(function):
    """A function that gives the lower and the upper end of a 95% interval."""
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
            "every resample gives the same accuracy, so the interval is a point. Draw *with* replacement, some people "
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
            "1,000 times. The middle 95% lie between the percentiles 2.5 and 97.5."
        )
    if not same(call(function, correct, person, 0), [low, high]):
        raise NotYet("the same seed gives another interval the second time. Draw with `np.random.default_rng(seed)`.")
    return f"{low:.2f} to {high:.2f} for an accuracy of {value:.2f}: a hundred people don't say more than that."


@graded
def occlusion(function):
    """A function that gives a map of how much each cell of a photo matters."""
    photo = np.full((48, 32, 3), 128, np.uint8)
    photo[32:40, 8:16] = 255

    def classify(pixels):
        if np.shape(pixels) != photo.shape:
            raise NotYet(
                f"`classify` wants the whole photo, {photo.shape}, but it was given the shape {np.shape(pixels)}."
            )
        return 0.2 + 0.6 * float((np.asarray(pixels)[32:40, 8:16] > 200).mean())

    found = call_for_array(function, classify, photo, 8)
    if found.shape == (4, 6):
        raise NotYet("rows and columns are swapped: a photo has the shape (height, width, 3).")
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
        raise NotYet(f"one cell matters, the one in row 4, column 1. Your map says row {row}, column {column}.")
    return "covering the one cell that matters costs 0.6, covering any other one nothing."
