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
    """The threshold that finds the most masks while at most one bare face in ten is called masked."""
    found, false = (masked >= answer).mean(), (bare >= answer).mean()
    if false > 0.1:
        raise NotYet(f"{false:.0%} of the bare faces are called masked, but only 10% are allowed. Raise the threshold.")
    most = most_within(masked, bare, 0.1)
    if found < most:
        raise NotYet(
            f"{false:.0%} of the bare faces are called masked, which is allowed. But you find only {found:.0%} of the "
            f"masks. A lower threshold finds {most:.0%} within the same limit."
        )
    return f"you find {found:.0%} of the masks, and call {false:.0%} of the bare faces masked."


def most_within(masked, bare, limit):
    """Return the largest share of masks that a threshold can find while calling at most `limit` of bare faces masked."""
    return max([(masked >= value).mean() for value in masked if (bare >= value).mean() <= limit], default=0.0)


@graded
def precision_and_recall(function):
    """A function that returns the precision and the recall of class 0."""
    counts = np.array([[30, 10], [20, 140]])
    precision, recall = 30 / 50, 30 / 40
    found = call_for_array(function, counts, shape=(2,))
    swapped = (
        "precision and recall are swapped. Precision looks at the faces that are *called* masked (a column), recall at "
        "the faces that really *are* masked (a row)."
    )
    mistakes = {
        swapped: [recall, precision],
        "this would be right for class 1, the bare faces. The question is about class 0.": [140 / 150, 140 / 160],
        "you returned the accuracy twice: the share of all photos, of both classes, that are right.": [0.85, 0.85],
    }
    reject(found, mistakes)
    if not same(found[1], recall):
        raise NotYet(
            f"40 faces wear a mask, and 30 of them were found, so the recall is {recall:g}, not {found[1]:.2f}."
        )
    if not same(found[0], precision):
        raise NotYet(
            f"50 faces are called masked, and 30 of them are, so the precision is {precision:g}, not {found[0]:.2f}."
        )
    return "60% of the faces called masked really are, and 75% of the masked faces were found."


def own_run(folder: str = "runs/lab") -> Path:
    """Return the learner's own run, or the released classifier if there is none yet; then standard error says so."""
    if (paths.resolve(folder) / CLASSIFIER).is_file():
        return paths.resolve(folder)
    print(f"{folder} has no classifier yet (notebook 04 saves one). The released one stands in.", file=sys.stderr)
    return RELEASED


def own_answers(run) -> tuple[np.ndarray, np.ndarray]:
    """Return the mask probabilities that a run's classifier gives to 40 masked and 40 bare faces, all degraded.

    The faces come from the run's own test set. The released classifier has none, so it gets faces from the built-in
    sample.
    """
    if not isinstance(run, str | Path) or not (paths.resolve(run) / CLASSIFIER).is_file():
        raise NotYet(f"there is no classifier in {run}. Run notebook 04 first, and then this notebook again.")
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
    """A function that returns the threshold that finds the most masks within a limit, and the folder of your run."""
    masked, bare = np.array([0.9, 0.8, 0.7, 0.6, 0.2]), np.array([0.85, 0.75, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])
    for limit in (0.1, 0.2, 0.0):
        _within_limit(call_for_array(function, masked, bare, limit, shape=()), masked, bare, limit, "")
    masked, bare = own_answers(run)
    found = call_for_array(function, masked, bare, 0.05, shape=())
    _within_limit(
        found, masked, bare, 0.05, "right for the made-up numbers, but not yet for your classifier's answers: "
    )
    return "no threshold finds more masks within the limit, and that's true of your own classifier's answers, too."


def _within_limit(found, masked, bare, limit, where):
    false, share = (bare >= found).mean(), (masked >= found).mean()
    if false > limit:
        raise NotYet(
            f"{where}a threshold of {float(found):.3f} calls {false:.0%} of the bare faces masked, but only {limit:.0%} are "
            "allowed."
        )
    most = most_within(masked, bare, limit)
    if share < most:
        raise NotYet(
            f"{where}a threshold of {float(found):.3f} stays within the limit of {limit:.0%}, but it finds only "
            f"{share:.0%} of the masks. A lower one finds {most:.0%}."
        )


@graded
def fold(answer, person, accuracy):
    """The fold number of each photo, the people, and the function `accuracy` from the cell above."""
    people = np.unique(person)
    torn = sum(len(np.unique(answer[person == number])) > 1 for number in people)
    found = accuracy(answer)
    if torn:
        raise NotYet(
            f"{found:.0%}, but {torn} of {len(people)} people are in more than one fold, so the nearest photo is another "
            "one of the same person. Deal people, not photos, into folds."
        )
    if len(np.unique(answer)) != 5:
        raise NotYet(f"there should be five folds, but you have {len(np.unique(answer))}.")
    return f"{found:.0%}, no better than a coin toss, because these numbers show no masks. The rest was all leak."


@graded
def interval(function):
    """A function that returns the lower and the upper end of a 95% interval."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(100), rng.integers(3, 8, size=100))
    correct = (rng.random(100) < 0.8)[person]  # a person's photos succeed or fail together
    ends = np.array([call_for_array(function, correct, person, seed, shape=(2,)) for seed in range(5)])
    low, high = ends[0].tolist()
    value, width = correct.mean(), float(np.diff(ends, axis=1).mean())
    if not (0 <= ends).all() or not (ends <= 1).all() or width < 0:
        raise NotYet(
            f"the lower end comes first, and both ends should be between 0 and 1, not {low:.2f} and {high:.2f}."
        )
    if width < 1e-9:
        raise NotYet(
            "every resample has the same accuracy, so your interval is a single point. Draw *with* replacement, so that "
            "some people appear twice and some not at all: `rng.choice(people, len(people))`."
        )
    if not low < value < high:
        raise NotYet(f"the accuracy itself, {value:.2f}, is not between {low:.2f} and {high:.2f}.")
    # The width is 0.16 over people, 0.07 over photos; 0.13 from percentiles 5 and 95, 0.21 from 0.5 and 99.5.
    if width < 0.1:
        raise NotYet(
            f"{low:.3f} to {high:.3f} is too narrow. Here, a person's photos succeed or fail together. Draw people, and "
            "take all the photos of each."
        )
    if not 0.146 < width < 0.18:
        raise NotYet(
            f"{low:.3f} to {high:.3f} is too {'narrow' if width < 0.16 else 'wide'}. Draw as many people as there are, "
            "1,000 times. The middle 95% is between percentiles 2.5 and 97.5."
        )
    if not same(call(function, correct, person, 0), [low, high]):
        raise NotYet(
            "with the same seed, you get a different interval the second time. Draw with `np.random.default_rng(seed)`."
        )
    return f"{low:.2f} to {high:.2f} for an accuracy of {value:.2f}. A hundred people can't tell you more than that."


@graded
def occlusion(function):
    """A function that returns a map of how much each cell of a photo matters."""
    photo = np.full((48, 32, 3), 128, np.uint8)
    photo[32:40, 8:16] = 255

    def classify(pixels):
        if np.shape(pixels) != photo.shape:
            raise NotYet(
                f"`classify` needs the whole photo, {photo.shape}, but you gave it an array of shape {np.shape(pixels)}."
            )
        return 0.2 + 0.6 * float((np.asarray(pixels)[32:40, 8:16] > 200).mean())

    found = call_for_array(function, classify, photo, 8)
    if found.shape == (4, 6):
        raise NotYet("rows and columns are swapped: a photo has the shape (height, width, 3).")
    if found.shape != (6, 4):
        raise NotYet(f"a photo that is 48 pixels high and 32 wide has (6, 4) cells of 8 × 8 pixels, not {found.shape}.")
    expected = np.zeros((6, 4))
    expected[4, 1] = 0.6
    mistakes = {
        "the sign is the wrong way around: covering a cell that matters makes the probability fall, and a fall counts as positive.": -expected,
        "these are the probabilities themselves. How far is each one below the probability of the uncovered photo?": 0.8
        - expected,
    }
    reject(found, mistakes)
    if np.isclose(found, 0.6).sum() > 1:
        raise NotYet(
            "your cells stay covered, so once the cell that matters is covered, every later one seems to matter, too. "
            "Start with a new copy each time."
        )
    if not same(found, expected):
        row, column = (int(place) for place in np.unravel_index(found.argmax(), found.shape))
        raise NotYet(
            f"only one cell matters, the one in row 4, column 1. Your map's largest value is in row {row}, column {column}."
        )
    return "covering the one cell that matters costs 0.6, and covering any other costs nothing."
