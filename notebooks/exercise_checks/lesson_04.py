"""Checks for the exercises of lesson 04: train the classifier."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, same
from .own import own_classifier


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
        "this is the logarithm of the wrong class's probability: being sure and right would cost the most.": -np.log(
            [0.1, 0.6, 0.2]
        ).mean(),
        "the other class counts, too. Multiply by the targets.": -np.log(probabilities).sum(axis=1).mean(),
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
            "right, until a probability is 0: its logarithm is −∞, and the loss is no longer a number. `np.clip` the "
            "probabilities to at least 1e-7."
        )
    return f"being sure and right costs {abs(right):.0f}, and being sure and wrong costs {wrong:.0f}."


@graded
def best_epoch(function):
    """A function that says which epoch early stopping goes back to."""
    found = call(function, [0.9, 0.6, 0.5, 0.4], 2)
    reject(found, {"the first epoch is number 1, as it is printed; Python counts from 0.": 3})
    if found != 4:
        raise NotYet(f"a loss that falls in all of 4 epochs never stops, and epoch 4 is the best, not {found}.")
    found = call(function, [0.9, 0.5, 0.6, 0.7, 0.8], 2)
    mistakes = {
        "epoch 4 is where training stops. Which of the epochs so far was the best?": 4,
        "epoch 5 is the last one. Training stops earlier, and goes back further.": 5,
        "epoch 1 has the largest loss. Look for the smallest one.": 1,
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
            "0.9, 0.5, 0.6, 0.4, 0.6, 0.3 with a patience of 2: after each new best loss the waiting starts over, so "
            f"epoch 6 comes; you go back to epoch {found}."
        )
    if call(function, [0.5, 0.5, 0.5, 0.4], 2) != 1:
        raise NotYet("a loss that equals the best one so far is no improvement: it uses up patience.")
    return "patience first, then back to the best epoch seen so far."


@graded
def names_of(function):
    """A function that names the class of photos whose pixels are already scaled to −1…1."""
    pixels = (
        np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 4, 4, 3) * 50
        + np.float32([20, 200, 180])[:, None, None, None]
    )
    scaled, seen = pixels / np.float32(127.5) - 1, []

    def classifier(given):
        seen.append(np.array(given, dtype=float))
        bright = (seen[-1].mean(axis=(1, 2, 3)) > 127.5).astype(int)
        return np.eye(2)[1 - bright] * 0.8 + 0.1

    found = call(function, classifier, {"classes": ["zebra", "ant"], "input_size": 4}, scaled)
    if not seen:
        raise NotYet("the classifier was never asked. Give it pixels: `classifier(pixels)`.")
    given = np.concatenate(seen)
    mistakes = {
        "the classifier does its own scaling. Pixels in −1…1 are scaled a second time, and every photo comes out almost "
        "black. Undo the scaling first.": scaled,
        "you gave the classifier pixels in −127.5…127.5. Add 1 before you multiply.": scaled * 127.5,
        "you gave the classifier pixels in 0…1. It wants 0…255.": (scaled + 1) / 2,
        "you gave the classifier pixels in 0…510. The range −1…1 is 2 wide, not 1.": (scaled + 1) * 255,
        "you gave the classifier pixels in −255…255. It wants 0…255.": scaled * 255,
        "this scales the pixels once more. Turn the formula around: add first, then multiply.": scaled / 127.5 - 1,
    }
    reject(given, mistakes)
    if given.shape != pixels.shape or not np.allclose(given, pixels, atol=1.01):
        raise NotYet(
            f"for pixels of {pixels.min():.0f} to {pixels.max():.0f}, you gave the classifier {given.min():.1f} to "
            f"{given.max():.1f} in the shape {given.shape}. It wants the pixels as they were before the scaling."
        )
    found = [value.item() if isinstance(value, np.generic) else value for value in found]
    if found == [1, 0, 0]:
        raise NotYet('these are the numbers of the outputs. What they mean is in `labels["classes"]`.')
    if found == ["zebra", "ant", "ant"]:
        raise NotYet('the names have changed places. Output 0 is the first of `labels["classes"]`; take the likeliest.')
    if found != ["ant", "zebra", "zebra"]:
        raise NotYet(
            "for a classifier of zebras and ants, the three photos are an ant and two zebras, not "
            f"{found}. Look each name up in `labels`."
        )

    classifier, labels, photos, _ = own_classifier()
    probabilities = classifier(photos)
    found = np.array(call(function, classifier, labels, photos / np.float32(127.5) - 1))
    expected = np.array(labels["classes"])[probabilities.argmax(axis=1)]
    sure = np.sort(probabilities, axis=1)[:, -2:] @ [-1, 1] > 0.1  # rounding may turn a close call
    if found.shape != expected.shape or (found != expected)[sure].any():
        raise NotYet(f"your classifier says {expected.tolist()} for pixels in 0…255, and you say {found.tolist()}.")
    return "your classifier gives each photo the same name as before it was scaled. Now run the next cell."
