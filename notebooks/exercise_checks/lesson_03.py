"""Checks for the exercises of lesson 03: head surgery."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, run, same


@graded
def image_size(answer):
    """The photo size, in pixels, that gives maps of 4 × 4 cells."""
    if answer % 32:
        raise NotYet(f"{answer} isn't a multiple of 32, so you can't halve it five times and get a whole number.")
    if answer != 128:
        raise NotYet(f"halving {answer} pixels five times gives maps of {answer // 32} × {answer // 32} cells.")
    return "128 / 2⁵ = 4."


@graded
def n_numbers(answer):
    """A count of the numbers that a head with 64 neurons has to learn."""
    mistakes = {
        "this is the lesson's head, with 128 neurons.": 164_226,
        "these are only the weights. Each neuron in both layers also has a bias.": 1280 * 64 + 64 * 2,
        "this is only the fully connected layer. The two softmax neurons learn, too.": 1280 * 64 + 64,
        "each of the two neurons at the end now has 64 inputs, not 128.": 1280 * 64 + 64 + 258,
    }
    reject(answer, mistakes)
    if answer != 1280 * 64 + 64 + 64 * 2 + 2:
        raise NotYet(
            "count 1,280 weights for each of 64 neurons, 64 weights for each of 2 more, and a bias for each of the 66."
        )
    return "81,984 in the fully connected layer and 130 in the last one: about half as many as in the lesson's head."


@graded
def softmax(function):
    """A function that turns scores into probabilities, one row per photo."""
    scores = np.array([[1.0, 3.0], [0.0, 0.0], [2.0, -1.0]])
    powers = np.exp(scores)
    found = call_for_array(function, scores, shape=scores.shape)
    mistakes = {
        "this is the sigmoid, which looks at each score separately. Each row should add up to 1.": powers
        / (1 + powers),
        "these are just the exponentials. Divide each row by its sum.": powers,
        "you divided all rows by the same sum. Each row has its own: `sum(axis=1, keepdims=True)`.": powers
        / powers.sum(),
        "your columns add up to 1, not your rows. Each row is a photo: `sum(axis=1, keepdims=True)`.": powers
        / powers.sum(axis=0),
    }
    reject(found, mistakes)
    reject(
        found[0],
        {"you divided the scores by their sum, which fails for negative scores. Use `np.exp` first.": [0.25, 0.75]},
    )
    if not same(found, powers / powers.sum(axis=1, keepdims=True)):
        raise NotYet(
            f"the scores 1 and 3 should give the probabilities 0.119 and 0.881, not {found[0].round(3).tolist()}."
        )
    if not np.isfinite(call_for_array(function, np.array([[1000.0, 1001.0]]))).all():
        raise NotYet(
            "right for small scores, but not for 1,000 and 1,001, because exp(1000) is too large for a float. Subtract "
            "each row's largest score first. The probabilities stay the same."
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
        raise NotYet(
            "`Flatten` keeps every cell of every map. Keep only each map's average, with `GlobalAveragePooling2D`."
        )
    maps = np.random.default_rng(0).normal(size=(2, 5, 5, 1280)).astype("float32")
    found = np.asarray(run(head, maps))
    if found.ndim != 2:
        raise NotYet(f"for two photos, the output has the shape {found.shape}, not (2, 3). Is the pooling missing?")
    if found.shape != (2, 3):
        raise NotYet(
            f"for two photos and three classes, the output has the shape {found.shape}, not (2, 3). Use `n_classes`."
        )
    if getattr(getattr(head.layers[-1], "activation", None), "__name__", "") == "sigmoid":
        raise NotYet("a sigmoid looks at each class separately. For probabilities that add up to 1, use a softmax.")
    if not same(found.sum(axis=1), [1, 1]):
        raise NotYet(
            f"the outputs for one photo add up to {found[0].sum():.2f}, so they are scores. You still need a softmax."
        )
    if "Dropout" not in kinds[:-1]:
        raise NotYet("the probabilities add up to 1, but there is no Dropout before the last layer.")
    dense = [layer for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    if len(dense) != 2 or dense[0].units != 64:
        raise NotYet(
            "the head should have two fully connected layers, with 64 and 3 neurons. "
            f"Yours have {[layer.units for layer in dense]}."
        )
    if dense[0].activation is not keras.activations.relu:
        raise NotYet("the 64 neurons have no ReLU. Without one, two layers can do no more than a single layer.")
    return f"for three classes, your head has {head.count_params():,} numbers to learn."


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
            'nothing can learn anymore, because you froze the head, too. Freeze only `classifier.get_layer("base")`.'
        )
    classifier.compile("adam", "categorical_crossentropy", run_eagerly=True)
    photos = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    classifier.train_on_batch(photos, np.eye(2, dtype="float32")[[0, 1] * 4])
    base_moved, head_moved = (
        any(not np.array_equal(a, b) for a, b in zip(old, new, strict=True))
        for old, new in zip(before, (base.get_weights(), head.get_weights()), strict=True)
    )
    if not head_moved:
        raise NotYet("you froze the head instead of the base. The base has changed, and what it had learned is lost.")
    if base_moved:
        raise NotYet(
            "after one training step, the base has changed. Use `trainable` to freeze it; `training` only chooses "
            "between training mode and inference mode."
        )
    return "after one training step, the base is bit for bit the same, and the head has changed."
