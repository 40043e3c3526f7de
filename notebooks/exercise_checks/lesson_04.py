"""Checks for the exercises of lesson 04: train the classifier."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, same
from .own import own_classifier


@graded
def features_stay(learning_rate, dropout, thawed, size):
    """Four answers, each True or False."""
    cases = {
        "other_learning_rate": (learning_rate, True, "it sets how fast the head learns. Does the base notice?"),
        "more_dropout_in_the_head": (dropout, True, "where does that dropout act, before the features or after them?"),
        "top_of_the_base_thawed": (
            thawed,
            False,
            "what does a training step do to the top, and to the features that come out of it?",
        ),
        "other_image_size": (size, False, "does the base still see the same picture?"),
    }
    for name, (answer, right, question) in cases.items():
        if answer not in (True, False):
            raise NotYet(f"`{name}` should be True or False, not {answer!r}.")
        if answer != right:
            raise NotYet(f"think again about `{name}`: {question}")
    return "you can change anything that comes after the features, but not the base or the pictures that go into it."


@graded
def cross_entropy(function):
    """A function that returns the mean cross-entropy."""
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    losses = -np.log([0.9, 0.4, 0.8])
    found = call_for_array(function, targets, probabilities)
    mistakes = {
        "these are the losses of the individual photos. Return their mean.": losses,
        "the logarithm of a probability is negative, but a loss isn't. You left out the minus sign.": -losses.mean(),
        "this is the sum over the photos. Take the mean, so that the number of photos doesn't matter.": losses.sum(),
        "you used the probability of the wrong class. Being sure and right would cost the most.": -np.log(
            [0.1, 0.6, 0.2]
        ).mean(),
        "you included the other class. Multiply by the targets.": -np.log(probabilities).sum(axis=1).mean(),
        "your mean includes the zeros of the other class. Add up each row first, then take the mean.": losses.mean()
        / 2,
        "you used the logarithm to base 10. `np.log` is the natural logarithm.": losses.mean() / np.log(10),
        "you used the logarithm to base 2. `np.log` is the natural logarithm.": losses.mean() / np.log(2),
    }
    reject(found, mistakes)
    if not same(found, losses.mean()):
        raise NotYet(
            "when the true classes have probabilities of 0.9, 0.4, and 0.8, the loss is "
            f"{losses.mean():.3f}, not {found.round(3)}."
        )
    right = float(call(function, targets[:1], np.array([[1.0, 0.0]])))
    wrong = float(call(function, targets[:1], np.array([[0.0, 1.0]])))
    if not np.isfinite([right, wrong]).all():
        raise NotYet(
            "right, until a probability is 0: its logarithm is −∞, and the loss isn't a finite number anymore. Use "
            "`np.clip` to keep every probability at 1e-7 or above."
        )
    return f"being sure and right costs {abs(right):.0f}, and being sure and wrong costs {wrong:.0f}."


@graded
def best_epoch(function):
    """A function that says which epoch early stopping goes back to."""
    found = call(function, [0.9, 0.6, 0.5, 0.4], 2)
    reject(found, {"Python counts from 0, but the first epoch is number 1.": 3})
    if found != 4:
        raise NotYet(
            f"if the loss falls in all 4 epochs, training doesn't stop early, and the best epoch is 4, not {found}."
        )
    found = call(function, [0.9, 0.5, 0.6, 0.7, 0.8], 2)
    mistakes = {
        "epoch 4 is where training stops. Which epoch was the best so far?": 4,
        "epoch 5 is the last one. Training stops earlier and goes back further.": 5,
        "epoch 1 has the largest loss. Look for the smallest one.": 1,
    }
    reject(found, mistakes)
    if found != 2:
        raise NotYet(
            f"of the losses 0.9, 0.5, 0.6, and 0.7, the second is the smallest, but you go back to epoch {found}."
        )
    found = call(function, [0.9, 0.5, 0.6, 0.7, 0.1], 2)
    if found != 2:
        raise NotYet(
            "after losses of 0.9, 0.5, 0.6, and 0.7, a patience of 2 is used up, so training never gets to the 0.1 in "
            f"epoch 5. It goes back to epoch 2, not {found}."
        )
    found = call(function, [0.9, 0.5, 0.6, 0.4, 0.6, 0.3], 2)
    if found != 6:
        raise NotYet(
            "with losses of 0.9, 0.5, 0.6, 0.4, 0.6, and 0.3 and a patience of 2, training gets to epoch 6, because "
            f"the count starts over after each new best loss. But you go back to epoch {found}."
        )
    if call(function, [0.5, 0.5, 0.5, 0.4], 2) != 1:
        raise NotYet("a loss that only equals the best one so far is no improvement, so it uses up patience.")
    return "training waits as long as its patience lasts, then goes back to the best epoch so far."


@graded
def names_of(function):
    """A function that names the classes of photos whose pixels are already scaled to −1…1."""
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
        raise NotYet("you never called the classifier. Give it pixels: `classifier(pixels)`.")
    given = np.concatenate(seen)
    mistakes = {
        "the classifier does its own scaling. Pixels in −1…1 get scaled a second time, and every photo comes out "
        "almost black. Undo the scaling first.": scaled,
        "you gave the classifier pixels in −127.5…127.5. Add 1 before you multiply.": scaled * 127.5,
        "you gave the classifier pixels in 0…1. It expects 0…255.": (scaled + 1) / 2,
        "you gave the classifier pixels in 0…510. The range −1…1 is 2 wide, not 1.": (scaled + 1) * 255,
        "you gave the classifier pixels in −255…255. It expects 0…255.": scaled * 255,
        "this scales the pixels a second time. Turn the formula around: add first, then multiply.": scaled / 127.5 - 1,
    }
    reject(given, mistakes)
    if given.shape != pixels.shape or not np.allclose(given, pixels, atol=1.01):
        raise NotYet(
            f"the original pixels go from {pixels.min():.0f} to {pixels.max():.0f}, but you gave the classifier values "
            f"from {given.min():.1f} to {given.max():.1f}, in an array of shape {given.shape}. It expects the pixels "
            "as they were before the scaling."
        )
    found = [value.item() if isinstance(value, np.generic) else value for value in found]
    if found == [1, 0, 0]:
        raise NotYet('these are output numbers. `labels["classes"]` tells you what they mean.')
    if found == ["zebra", "ant", "ant"]:
        raise NotYet('the names are swapped. Output 0 is the first of `labels["classes"]`; take the likeliest class.')
    if found != ["ant", "zebra", "zebra"]:
        raise NotYet(
            "the check uses a classifier that tells zebras from ants. Its three photos show an ant and two zebras, not "
            f"{found}. Look up each name in `labels`."
        )

    classifier, labels, photos, _ = own_classifier()
    probabilities = classifier(photos)
    found = np.array(call(function, classifier, labels, photos / np.float32(127.5) - 1))
    expected = np.array(labels["classes"])[probabilities.argmax(axis=1)]
    sure = np.sort(probabilities, axis=1)[:, -2:] @ [-1, 1] > 0.1  # rounding can flip a close call
    if found.shape != expected.shape or (found != expected)[sure].any():
        raise NotYet(f"for pixels in 0…255, your classifier says {expected.tolist()}, but you say {found.tolist()}.")
    return "you get the same names as from the original pixels. Now run the next cell."
