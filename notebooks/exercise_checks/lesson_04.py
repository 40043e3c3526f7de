"""Checks for the exercises of lesson 04: train the classifier."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, run, same


@graded
def steps(answer):
    """How many steps of 32 rows an epoch has, with 512 photos in 4 views."""
    mistakes = {
        "each photo comes in four views, and each view is a row.": 16,
        "these are the rows. One step takes 32 of them.": 2048,
        "each view is a row of its own: more views make more rows, not fewer.": 4,
    }
    reject(answer, mistakes)
    if answer != 64:
        raise NotYet(f"how many rows are there, and how many times 32 is that? Not {answer:g} times.")
    return "2,048 rows, 32 at a time."


@graded
def cross_entropy(function):
    """A function that gives the mean cross-entropy."""
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    losses = -np.log([0.9, 0.4, 0.8])
    found = call_for_array(function, targets, probabilities)
    mistakes = {
        "these are the losses of the single photos. The loss is their mean.": losses,
        "the logarithm of a probability is negative, and a loss is not. A minus is missing.": -losses.mean(),
        "this is the sum over the photos. With the mean, their number does not matter.": losses.sum(),
        "this is the logarithm of the wrong class's probability: being sure and right would cost most.": -np.log(
            [0.1, 0.6, 0.2]
        ).mean(),
        "the class that is not true counts as well. Multiply by the targets.": -np.log(probabilities)
        .sum(axis=1)
        .mean(),
        "the mean goes over the zeros of the other class, too. Add up each row, then take the mean.": losses.mean() / 2,
        "this is the logarithm to the base 10. `np.log` is the natural one.": losses.mean() / np.log(10),
        "this is the logarithm to the base 2. `np.log` is the natural one.": losses.mean() / np.log(2),
    }
    reject(found, mistakes)
    if not same(found, losses.mean()):
        raise NotYet(
            f"true classes with the probabilities 0.9, 0.4 and 0.8 cost {losses.mean():.3f}, not {found.round(3)}."
        )
    right = float(call(function, targets[:1], np.array([[1.0, 0.0]])))
    wrong = float(call(function, targets[:1], np.array([[0.0, 1.0]])))
    if not np.isfinite([right, wrong]).all():
        raise NotYet(
            "right, until a probability is 0: its logarithm is −∞, and the loss is no number any more. `np.clip` the "
            "probabilities to 1e-7 at least."
        )
    return f"being sure and right costs {abs(right):.0f}, being sure and wrong {wrong:.0f}."


@graded
def best_epoch(function):
    """A function that says to which epoch early stopping goes back."""
    found = call(function, [0.9, 0.6, 0.5, 0.4], 2)
    reject(found, {"the first epoch is number 1, as it is printed; Python counts from 0.": 3})
    if found != 4:
        raise NotYet(f"a loss that falls in all of 4 epochs never stops, and epoch 4 is the best, not {found}.")
    found = call(function, [0.9, 0.5, 0.6, 0.7, 0.8], 2)
    mistakes = {
        "epoch 4 is where training stops. Which of the epochs so far was the best?": 4,
        "epoch 5 is the last one. Training stops earlier, and goes back further.": 5,
        "epoch 1 has the largest loss. The smallest one is wanted.": 1,
    }
    reject(found, mistakes)
    if found != 2:
        raise NotYet(f"of the losses 0.9, 0.5, 0.6, 0.7 the second is the smallest; you go back to epoch {found}.")
    found = call(function, [0.9, 0.5, 0.6, 0.7, 0.1], 2)
    if found != 2:
        raise NotYet(
            "0.9, 0.5, 0.6, 0.7 uses up a patience of 2, so the 0.1 of epoch 5 never comes: back to epoch 2, not "
            f"{found}."
        )
    found = call(function, [0.9, 0.5, 0.6, 0.4, 0.6, 0.3], 2)
    if found != 6:
        raise NotYet(
            "0.9, 0.5, 0.6, 0.4, 0.6, 0.3 with a patience of 2: after each new best loss the waiting begins anew, so epoch "
            f"6 comes; you go back to epoch {found}."
        )
    if call(function, [0.5, 0.5, 0.5, 0.4], 2) != 1:
        raise NotYet("a loss that equals the best one so far is no improvement: it uses up patience.")
    return "patience first, then back to the best epoch seen so far."


@graded
def train(function):
    """A function that trains and asks the base as seldom as possible."""
    photos, looked_at, learned = list(range(6)), [], []

    def base(photo):
        looked_at.append(photo)
        return photo + 100

    run(function, photos, base, learned.append, 5)
    if not learned:
        raise NotYet("nothing was learned: `step` is never called. It wants a photo's features, in every epoch.")
    if min(learned) < 100:
        raise NotYet("`step` was given a photo. It wants what `base` makes of it.")
    if sorted(learned) != sorted([photo + 100 for photo in photos] * 5):
        raise NotYet(f"six photos in five epochs are 30 steps, five for each photo; there were {len(learned)} steps.")
    if len(looked_at) > 6:
        raise NotYet(
            f"right, but `base` was called {len(looked_at)} times for 6 photos. It is frozen: what it says of a photo in "
            "epoch 1 is what it says in epoch 5."
        )
    return "30 steps, and `base` was called 6 times."


@graded
def features_stay(learning_rate, dropout, thawed, size):
    """For each of the four changes, True or False."""
    cases = {
        "other_learning_rate": (learning_rate, True, "it says how fast the head learns. Does the base know of it?"),
        "more_dropout_in_the_head": (dropout, True, "where does it work, before the features or behind them?"),
        "top_of_the_base_thawed": (thawed, False, "what does a training step do to it then, and to what comes out?"),
        "other_image_size": (size, False, "does the base still see the same picture?"),
    }
    for name, (answer, right, question) in cases.items():
        if answer not in (True, False):
            raise NotYet(f"`{name}` should be True or False, not {answer!r}.")
        if answer != right:
            raise NotYet(f"think again about `{name}`: {question}")
    return "what comes after the features may change. The base may not, and neither may what it looks at."


@graded
def pace(function):
    """A function that gives the learning rate of each step."""
    rates = [float(call(function, step, 110, 10, 1.0)) for step in (0, 5, 10, 35, 60, 85, 110)]
    rise, fall = [0.0, 0.5], (1 + np.cos(np.pi * np.arange(5) / 4)) / 2
    mistakes = {
        "the cosine begins at step 0: the rise during the first steps is missing.": (
            1 + np.cos(np.pi * np.array([0, 5, 10, 35, 60, 85, 110]) / 110)
        )
        / 2,
        "below 0 at the end: the cosine goes down to −1. Add 1 and divide by 2.": [*rise, *(2 * fall - 1)],
        "the way down is a straight line: at its end the pace breaks off, instead of coming to rest.": [
            *rise,
            1,
            0.75,
            0.5,
            0.25,
            0,
        ],
        "this is a quarter of a wave, which is steepest at its end. Take the half: from 0 to π.": [
            *rise,
            *np.cos(np.pi * np.arange(5) / 8),
        ],
        "this is a whole wave: at its end the rate is as large as ever. Take the half: from 0 to π.": [
            *rise,
            1,
            0.5,
            0,
            0.5,
            1,
        ],
    }
    reject(rates, mistakes)
    for step, found, expected in zip((0, 5, 10, 35, 60, 85, 110), rates, [*rise, *fall], strict=True):
        if not same(found, float(expected)):
            raise NotYet(
                f"with 110 steps, 10 of them warm-up, and 1.0 at the top, step {step} has the rate {expected:.3f}, not {found:.3f}."
            )
    if not same(float(call(function, 10, 110, 10, 3e-4)), 3e-4):
        raise NotYet("`largest` makes no difference. After the warm-up the rate should be just that.")
    return "a gentle rise, a long way down, and it comes to rest at 0."
