"""Checks for the exercises of lesson 03: head surgery."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, run, same


@graded
def image_size(answer):
    """The photo's side with which the base gives maps of 4 × 4 cells."""
    if answer % 32:
        raise NotYet(f"{answer} is no multiple of 32: halved five times, it does not stay whole.")
    if answer != 128:
        raise NotYet(f"{answer} pixels, halved five times, give {answer // 32} × {answer // 32} cells.")
    return "128 / 2⁵ = 4."


@graded
def n_numbers(answer):
    """How many numbers a head with 64 neurons has to learn."""
    mistakes = {
        "this is the head of the lesson, with 128 neurons.": 164_226,
        "these are the weights alone. Each neuron has a bias as well, in both layers.": 1280 * 64 + 64 * 2,
        "this is the fully connected layer. The two neurons of the softmax learn, too.": 1280 * 64 + 64,
        "the two neurons at the end get their inputs from 64 neurons now, no longer from 128.": 1280 * 64 + 64 + 258,
    }
    reject(answer, mistakes)
    if answer != 1280 * 64 + 64 + 64 * 2 + 2:
        raise NotYet(
            "1,280 inputs for each of 64 neurons, then 64 inputs for each of 2; and a bias for each of the 66."
        )
    return "81,984 in the fully connected layer and 130 in the last one: half of what the lesson's head learns."


@graded
def softmax(function):
    """A function from scores to probabilities, a row for each photo."""
    scores = np.array([[1.0, 3.0], [0.0, 0.0], [2.0, -1.0]])
    powers = np.exp(scores)
    found = call_for_array(function, scores, shape=scores.shape)
    mistakes = {
        "this is the sigmoid, which looks at each score alone: a row's probabilities should add up to 1.": powers
        / (1 + powers),
        "these are the exponentials. Divide each row by its sum.": powers,
        "all photos share one sum. Each row has its own: `sum(axis=1, keepdims=True)`.": powers / powers.sum(),
        "columns add up to 1, not rows. A row is a photo: `sum(axis=1, keepdims=True)`.": powers / powers.sum(axis=0),
    }
    reject(found, mistakes)
    reject(found[0], {"these are shares of the scores; below 0 that makes no sense. `np.exp` first.": [0.25, 0.75]})
    if not same(found, powers / powers.sum(axis=1, keepdims=True)):
        raise NotYet(
            f"the scores 1 and 3 should give the probabilities 0.119 and 0.881, not {found[0].round(3).tolist()}."
        )
    if not np.isfinite(call_for_array(function, np.array([[1000.0, 1001.0]]))).all():
        raise NotYet(
            "right for small scores, but 1000 and 1001 give nan: exp(1000) is too large for any float. Subtract each "
            "row's largest score first; that changes no probability."
        )
    return "each row adds up to 1, and large scores do no harm."


@graded
def build_head(function):
    """A function that builds a head with 64 neurons for any number of classes."""
    import keras

    head = call(function, 3)
    if not isinstance(head, keras.Model):
        raise NotYet(f"this should be a `keras.Sequential`, not {type(head).__name__}.")
    kinds = [type(layer).__name__ for layer in head.layers]
    if "Flatten" in kinds:
        raise NotYet("`Flatten` hands on every cell of every map. Keep each map's average: `GlobalAveragePooling2D`.")
    maps = np.random.default_rng(0).normal(size=(2, 5, 5, 1280)).astype("float32")
    found = np.asarray(run(head, maps))
    if found.ndim != 2:
        raise NotYet(f"two photos give the shape {found.shape}, not (2, 3). Is the pooling missing?")
    if found.shape != (2, 3):
        raise NotYet(f"two photos and three classes give the shape {found.shape}, not (2, 3). Use `n_classes`.")
    if getattr(getattr(head.layers[-1], "activation", None), "__name__", "") == "sigmoid":
        raise NotYet("a sigmoid looks at each class alone. Probabilities that add up to 1 want a softmax.")
    if not same(found.sum(axis=1), [1, 1]):
        raise NotYet(f"a photo's numbers add up to {found[0].sum():.2f}: they are scores. A softmax is missing.")
    if "Dropout" not in kinds[:-1]:
        raise NotYet("the probabilities are right, but a Dropout is missing before the last layer.")
    dense = [layer for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    if len(dense) != 2 or dense[0].units != 64:
        raise NotYet(
            f"two fully connected layers are wanted, of 64 and 3 neurons, not {[layer.units for layer in dense]}."
        )
    if dense[0].activation is not keras.activations.relu:
        raise NotYet("the 64 neurons have no ReLU. Two layers without one are no more than a single one.")
    return f"{head.count_params():,} numbers to learn for three classes."


@graded
def freeze(function):
    """A function that freezes the layer "base" of a classifier."""
    import keras

    pixels = keras.Input((4,))
    base = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(8)], name="base")
    head = keras.Sequential([keras.layers.Dense(2, activation="softmax")], name="head")
    classifier = keras.Model(pixels, head(base(pixels)))
    before = base.get_weights(), head.get_weights()
    run(function, classifier)
    if not classifier.trainable_weights:
        raise NotYet(
            'nothing can learn any more: you froze the head as well. Freeze `classifier.get_layer("base")` alone.'
        )
    classifier.compile("adam", "categorical_crossentropy", run_eagerly=True)
    photos = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    classifier.train_on_batch(photos, np.eye(2, dtype="float32")[[0, 1] * 4])
    base_moved, head_moved = (
        any(not np.array_equal(a, b) for a, b in zip(old, new, strict=True))
        for old, new in zip(before, (base.get_weights(), head.get_weights()), strict=True)
    )
    if not head_moved:
        raise NotYet("it is the head that stayed as it was. The base moved, and what it has learned is lost.")
    if base_moved:
        raise NotYet(
            "after one training step, the base has moved. What decides is `trainable`; `training` only chooses between "
            "training mode and inference mode."
        )
    return "after one training step, the base is bit for bit what it was, and the head has moved."
