"""The checks of the exercises, each named after the function or the value that it looks at.

Each prints one line: RIGHT, or NOT YET and what is wrong with this answer.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np

from .grading import NotYet, call, call_for_array, graded, percent, reject, run, same

# 00: check your setup


@graded
def notebook(answer):
    """The notebook that needs `anywidget`, as two digits."""
    from .paths import repository_root

    lines = (repository_root() / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    reason = next(line for line in lines if line.strip().startswith('"anywidget')).partition("# ")[2]
    if f"{answer:0>2}" != reason[:2]:
        raise NotYet(
            f"notebook {answer} runs without it. Find anywidget in pyproject.toml: the reason is behind the #."
        )
    return f"it says there: {reason}."


DAMAGED = "The mask covers mouth and rose."
CHECKSUM = "7188e64b6d35796ae42a55be4f462cf27cf5d0f6a3e616bdf6f004f15fbabef9"


@graded
def sentence(answer):
    """The sentence as it was before a letter was damaged."""
    if len(answer) != len(DAMAGED):
        raise NotYet(f"it has {len(answer)} characters, but {len(DAMAGED)} arrived. None went missing.")
    changed = sum(letter != other for letter, other in zip(answer, DAMAGED, strict=True))
    if not changed:
        raise NotYet("this is what arrived, and its checksum does not fit. Which word makes no sense?")
    if changed > 1:
        raise NotYet(f"{changed} letters differ from what arrived, but only one was damaged.")
    found = hashlib.sha256(answer.encode()).hexdigest()
    if found != CHECKSUM:
        raise NotYet(f"its checksum begins with {found[:8]}, but should begin with {CHECKSUM[:8]}.")
    return f"all 64 letters and digits agree, from {found[:4]}… to …{found[-4:]}. Nobody gets there by luck."


@graded
def is_intact(function):
    """A function that compares SHA-256 checksums."""
    content = b"a face with a mask"
    right = hashlib.sha256(content).hexdigest()
    if not call(function, content, right):
        raise NotYet(
            "an undamaged file is called damaged. `hexdigest()` gives the 64 letters and digits; `digest()` gives bytes, "
            "which equal no text."
        )
    if call(function, b"a face with a task", right):
        raise NotYet("a file with another letter is called undamaged. Its size is the same; look at the content.")
    if call(function, content, right[:16] + 48 * "0"):
        raise NotYet("a checksum that agrees in its first 16 letters only is let through. Compare all 64.")
    return "a single letter is noticed, and so is a checksum that agrees in part."


@graded
def megabytes(function):
    """A function that measures a folder in millions of bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos" / "more").mkdir(parents=True)
        (folder / "weights.h5").write_bytes(bytes(1_500_000))
        (folder / "photos" / "more" / "face.jpg").write_bytes(bytes(500_000))
        found = float(call(function, folder))
    mistakes = {
        "files in folders within the folder are left out. `glob` looks at one level, `rglob` at all of them.": 1.5,
        "these are bytes. How many bytes are a megabyte?": 2_000_000,
        "you count 1,048,576 bytes to the megabyte (that is a mebibyte); this course counts 1,000,000.": 2e6 / 1024**2,
    }
    reject(found, mistakes)
    if 2 + 1e-6 < found < 2.1:
        raise NotYet("folders were counted as well. Ask each path whether it `is_file()`.")
    if not same(found, 2.0):
        raise NotYet(f"a file of 1.5 MB, and one of 0.5 MB two folders further down, should be 2 MB, not {found:g}.")
    return "files at every depth are counted, and nothing else."


# 01: load the data


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
    reject(found.sum(), {"80 % are in the test part. Have True and False changed places?": 160})
    if found.sum() != 40:
        raise NotYet(
            f"a fifth of the people should be in the test part; you have {percent(found.mean())} of them there."
        )
    if not same(found, call(function, people, 0)):
        raise NotYet("the same seed gives another split the second time. Draw with `np.random.default_rng(seed)`.")
    if all(same(found, call(function, people, seed)) for seed in range(1, 6)):
        raise NotYet("every seed gives the same people. Draw them at random, with `np.random.default_rng(seed)`.")
    return "four people of twenty in the test part, all their photos with them, and nobody on two sides."


# 02: augment the data


@graded
def factor(answer):
    """What `RandomRotation` wants for up to 30 degrees either way."""
    mistakes = {
        "this asks for up to 30 full turns. The layer wants a share of the full turn, which has 360°.": 30,
        "this is 30° in radians. The layer wants a share of the full turn, which has 360°.": np.pi / 6,
        "a full turn has 360°, not 180: with this, the photo turns by up to 60° either way.": 30 / 180,
    }
    reject(answer, mistakes)
    if not same(answer, 30 / 360):
        raise NotYet(f"with this, the photo turns by up to {360 * answer:g}° either way.")
    return "a twelfth of the full turn, 30° either way."


@graded
def flip(function):
    """A function that gives a photo's mirror image."""
    photo = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    found = call_for_array(function, photo, shape=photo.shape)
    mistakes = {
        "nothing has changed.": photo,
        "the photo stands on its head: you reversed the rows. Columns are the second axis.": photo[::-1],
        "the photo is turned by 180°: you reversed rows and columns. Columns alone will do.": photo[::-1, ::-1],
        "red and blue have changed places: you reversed the channels. Columns are the second axis.": photo[..., ::-1],
    }
    reject(found, mistakes)
    if not same(found, photo[:, ::-1]):
        raise NotYet("left and right should change places, and nothing else.")
    return "left and right have changed places; top and bottom have not, and neither have the colours."


@graded
def rain(function):
    """A street fault of your own: streaks of rain."""
    photo = np.full((96, 80, 3), 120, np.uint8)
    photo[:, 40:] = 250
    first, again, other = (
        call_for_array(function, photo, np.random.default_rng(seed), shape=photo.shape) for seed in (0, 0, 1)
    )
    if first.dtype != np.uint8:
        raise NotYet(
            f"the rainy photo holds {first.dtype}. A photo holds uint8: `np.clip(…, 0, 255).astype(np.uint8)`."
        )
    reject(first, {"it is not raining: the photo is as it was.": photo})
    if not same(first, again):
        raise NotYet("two generators with the same seed give different rain. Draw every random number from `rng`.")
    reject(first, {"the rain is the same in every photo. Draw the places of the drops from `rng`.": other})
    if (photo[:, 40:].astype(int) - first[:, 40:] > 150).any():
        raise NotYet(
            "where the photo was bright, drops are black. 250 + 10 is 4 in uint8, which begins again after 255. Compute "
            "with `astype(float)`, then clip."
        )
    covered = (first != photo).any(axis=-1).mean()
    if covered > 0.6:
        raise NotYet(f"{percent(covered)} of the photo are covered. Leave enough of the face to be recognised.")
    return f"another shower with every seed, {percent(covered)} of the photo covered, and it is still RGB uint8."


@graded
def style(answer):
    """The style of a red mask of cloth with checks."""
    if answer.kind != "cloth":
        raise NotYet(f"the mask should be of cloth; this one is {answer.kind!r}.")
    if answer.pattern != "checks":
        raise NotYet(f"the pattern should be checks; this one is {answer.pattern!r}.")
    red, green, blue = answer.colour
    if max(answer.colour) <= 1:
        raise NotYet(f"{answer.colour} is as good as black: colours go from 0 to 255 here, not from 0 to 1.")
    if blue > 150 and blue > 2 * max(red, green):
        raise NotYet(
            f"{answer.colour} is blue. The order is red, green, blue; OpenCV alone has it the other way round."
        )
    if not (red > 150 and red > 2 * max(green, blue)):
        raise NotYet(f"{answer.colour} is not clearly red: much of the first number, little of the others.")
    return "red checks. The network should find it as easy as a light blue one."


# 03: head surgery


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


# 04: train the classifier


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


# 05: evaluate the classifier


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


# 06: see it live


@graded
def seconds_behind(answer):
    """How old the picture on screen is after a minute, in seconds."""
    mistakes = {
        "that is the second from which the picture on screen comes. How long ago was that?": 20,
        "that would be so if nothing had been done at all.": 60,
        "that would be so if frames were dropped. Here each one waits its turn.": 0,
        "1,200 frames wait after a minute; but how old is the one that is being shown?": 1200,
    }
    reject(answer, mistakes)
    if answer != 40:
        raise NotYet(
            "in 60 seconds, 600 frames are done. In which second was the 600th taken, and how long ago is that?"
        )
    return "and 40 seconds more with every minute. So one frame is under way at a time, and the others are dropped."


@graded
def weight(answer):
    """How much the newest frame counts, above 0 and at most 1."""
    if not 0 < answer <= 1:
        raise NotYet(f"a weight is above 0 and at most 1; {answer:g} is not.")

    def averages(evidence):
        average = evidence[0]
        return np.array([average := average + answer * (value - average) for value in evidence])

    if (averages([3] * 20 + [-3] + [3] * 10) < 0).any():
        raise NotYet(f"with {answer:g}, a single wrong frame turns the label. Let the newest frame count for less.")
    delay = int((averages([3] * 20 + [-3] * 200)[20:] > 0).sum())
    if delay > 5:
        raise NotYet(
            f"with {answer:g}, the mask is off for {delay} frames before the label says so; 5 are allowed. Let the newest "
            "frame count for more."
        )
    return f"a wrong frame does no harm, and the label is {delay} frame{'s' if delay > 1 else ''} late."


@graded
def face_crop(function):
    """A function that cuts a face out of one of OpenCV's frames."""
    frame = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    expected = frame[14:50, 36:60, ::-1]
    found = call_for_array(function, frame, (40, 20, 16, 24), 0.25)
    shapes = {
        (24, 16): "this is the box itself. A margin of a quarter of its size is missing, on every side.",
        (30, 20): "the margin should be a quarter on *every* side: left and right, top and bottom.",
        (24, 36): "x and y are mixed up. Rows come first, and rows are y: `frame[top:bottom, left:right]`.",
        (16, 24): "x and y are mixed up. Rows come first, and rows are y: `frame[top:bottom, left:right]`.",
    }
    if found.shape[:2] in shapes:
        raise NotYet(shapes[found.shape[:2]])
    if found.shape != expected.shape:
        raise NotYet(f"16 × 24 pixels and a quarter on every side are 24 × 36: {expected.shape}, not {found.shape}.")
    swapped = "the right place, but red and blue are swapped. The frame is BGR, the classifier wants RGB, and no error message would tell."
    reject(found, {swapped: expected[..., ::-1]})
    if not same(found, expected):
        raise NotYet(
            "the size is right, the place is not: a box at x = 40, y = 20 makes a crop that begins at 36 and 14."
        )
    found = call_for_array(function, frame, (0, 0, 16, 24), 0.25)
    if found.shape != (30, 20, 3):
        raise NotYet(
            f"a face in the upper left corner gives the shape {found.shape}, not (30, 20, 3). Beyond the edge there is "
            "nothing, and a negative index counts from the other end: `max(0, …)`."
        )
    return "a quarter more on every side, cut off at the frame's edge, in RGB."


@graded
def overlap(function):
    """A function that gives the intersection over union of two boxes."""
    found = float(call(function, (0, 0, 10, 10), (5, 0, 10, 10)))
    mistakes = {
        "these are the pixels that both boxes have. Divide by the pixels that either has.": 50,
        "the sum of both areas counts the common part twice. Take it off once.": 50 / 200,
        "you divide by the area of one box. The union is what either of them covers.": 50 / 100,
    }
    reject(found, mistakes)
    if not same(found, 50 / 150):
        raise NotYet(f"two boxes of 100 pixels, 50 of them in common: 50 / 150 = 0.33, not {found:.2f}.")
    for other, where in (((20, 24, 10, 10), "apart in both directions"), ((20, 0, 10, 10), "side by side")):
        found = float(call(function, (0, 0, 10, 10), other))
        if not same(found, 0.0):
            raise NotYet(
                f"boxes {where} overlap by {found:.2f}. What they have in common is never less than nothing: `max(0, …)` "
                "for its width and for its height."
            )
    found = float(call(function, (10, 40, 20, 10), (10, 40, 10, 20)))
    if not same(found, 100 / 300):
        raise NotYet(
            f"(10, 40, 20, 10) and (10, 40, 10, 20) have 100 of 300 pixels in common: 0.33, not {found:.2f}. A box is "
            "(x, y, width, height), so it ends at x + width."
        )
    return "1 for the same box, 0 for boxes apart, and what is common is counted once."


@graded
def choose(function):
    """A function that chooses a detector."""
    table = {"slow": (0.98, 60.0), "good": (0.93, 25.0), "quick": (0.80, 5.0)}
    found = call(function, table, 25)
    if found not in table:
        raise NotYet(f"one of the names {', '.join(table)} is wanted, not {found!r}.")
    if found == "slow":
        raise NotYet("it finds most, but takes 60 ms a frame. At 25 frames a second there are 40 ms for each.")
    if found == "quick":
        raise NotYet("it is the quickest, but quick enough is quick enough: which one finds more within 40 ms?")
    found = call(function, table, 50)
    if found != "quick":
        raise NotYet(f"at 50 frames a second there are 20 ms for each, and {found!r} takes longer.")
    found = call(function, table, 10)
    if found != "slow":
        raise NotYet(
            f"at 10 frames a second there are 100 ms for each, enough for the one that finds most; not {found!r}."
        )
    found = run(function, table, 1000)
    if found is not None:
        raise NotYet(f"at 1,000 frames a second, none is quick enough. Give None then, not {found!r}.")
    return "the best of those that are quick enough, and None if none is."


# 07: into the wild


@graded
def take(answer):
    """How many masked and how many bare photos to take from each place, as `{"clinic": (…, …), "street": (…, …)}`."""
    available = {"clinic": (300, 30), "street": (20, 280)}
    if set(answer) != set(available):
        raise NotYet(f"the places are clinic and street, not {' and '.join(map(str, answer))}.")
    for place, counts in available.items():
        for taken, count, kind in zip(answer[place], counts, ("masked", "bare"), strict=True):
            if not 0 <= taken <= count:
                raise NotYet(f"of {kind} photos from the {place} there are {count}. You cannot take {taken:g}.")
    masked, bare = np.array([answer[place] for place in available]).T
    total = masked.sum() + bare.sum()
    if not total:
        raise NotYet("no photo is left. Take as many as you can.")
    by_place, by_count = np.maximum(masked, bare).sum() / total, max(masked.sum(), bare.sum()) / total
    if by_place > by_count:
        raise NotYet(
            f"whoever knows nothing but the place is right for {percent(by_place)} of these photos. In each place, take as many "
            "masked as bare ones."
        )
    if by_count > 0.5:
        kind = "with mask" if masked.sum() > bare.sum() else "without mask"
        raise NotYet(
            f"the place gives nothing away, but whoever always says {kind} is right for {percent(by_count)}. In each place, take "
            "as many masked as bare ones."
        )
    if total < 100:
        raise NotYet(f"the place gives nothing away, but these are {total:g} photos only, and more can be had.")
    return "the place is right for half of these photos, like a coin. The price: 100 photos are left of 630."


@graded
def leaked(function):
    """A function that gives the share of test photos that have a photo of the same group in training."""
    group = np.array(["ann", "bob", "eve", "ann", "cat", "ann", "dan", "eve", "ann", "bob", "cat", "ann", "eve"])
    is_test = np.array([True, True, False, False, False, True, True, True, False, True, False, True, False])
    found = float(call(function, group, is_test))
    mistakes = {
        "this is a share of all photos. How many of the 7 *test* photos are it?": 4 / 13,
        "this is a number of photos. Divide it by the number of test photos.": 4,
        "this is a share of the groups. A group may have several photos in the test part; count photos.": 2 / 4,
        "this is the share of groups that are on both sides. Count test photos.": 2 / 5,
        "this looks from the other side: the share of *training* photos that have one in the test part.": 4 / 6,
        "another photo of the group in the *test* part is no leak. Look for it in training only.": 6 / 7,
        "this is the share of test photos whose group is *not* in training.": 3 / 7,
        "every photo has itself in its group. Look for its group among the training photos only.": 1,
    }
    reject(found, mistakes)
    if not same(found, 4 / 7):
        raise NotYet(
            "of 7 test photos, three of Ann and one of Eve have another one in training: 4 / 7 = 0.57, not "
            f"{found:.2f}."
        )
    found = float(call(function, np.array(["ann", "ann", "bob"]), np.array([True, True, False])))
    if not same(found, 0.0):
        raise NotYet(f"where no group is on two sides, the leak is 0, not {found:.2f}.")
    return "4 of 7 test photos are no strangers; with whole groups on one side, none."


@graded
def worth(function):
    """A function that gives what each ingredient of an ablation is worth."""
    arms = {"one blue mask": [0.80, 0.84], "many masks": [0.95, 0.93], "grain": [0.92, 0.94], "colour": [0.94, 0.96]}
    expected = {"many masks": 0.12, "grain": -0.01, "colour": 0.02}
    found = call(function, {name: list(accuracies) for name, accuracies in arms.items()})
    if not isinstance(found, dict):
        raise NotYet(f"a dictionary is wanted, a number for each ingredient, not {type(found).__name__}.")
    if "one blue mask" in found:
        raise NotYet(
            "the first arm has none above it. What it is worth by itself, the table does not say: leave it out."
        )
    if set(found) != set(expected):
        raise NotYet(f"an ingredient each is wanted, {', '.join(expected)}; you give {', '.join(map(str, found))}.")
    values = np.array([float(found[name]) for name in expected])
    right = np.array(list(expected.values()))
    mistakes = {
        "each arm is compared with the first one. Then an ingredient takes the credit of all above it.": [
            0.12,
            0.11,
            0.13,
        ],
        "these are the arms' own accuracies. How much is each above the arm before it?": [0.94, 0.93, 0.95],
        "the sign is the wrong way round: what an ingredient adds counts as positive.": -right,
        "an ingredient may cost something: grain makes it worse by 0.01. Keep the sign.": np.abs(right),
        "these are the differences of the best seeds. The best of several is luck; take the mean.": [0.11, -0.01, 0.02],
        "this looks at the first seed alone. Take the mean of all.": [0.15, -0.03, 0.02],
    }
    reject(values, mistakes)
    for name, value in expected.items():
        if not same(float(found[name]), value):
            raise NotYet(f"{name!r} changes the mean by {value:+.2f}, not by {found[name]:+.4g}.")
    more = call(function, {"a": [0.5], "b": [0.6], "c": [0.9]})
    if not same(float(more.get("c", 0)), 0.3):
        raise NotYet("right for four arms of two seeds, but not for three arms of one seed.")
    return "many masks bring 12 points, colour 2, and grain costs 1."


@graded
def by_size(function):
    """A function that gives the balanced accuracy of each band of face sizes."""
    size = np.array([24, 200, 60, 30, 36, 70, 48, 40, 44, 80, 90, 250, 47, 95, 50, 55])
    masked = np.array([1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
    called = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1], bool)
    edges = [24, 48, 96, 192, 384]
    found = list(call(function, masked, called, size, edges))
    if len(found) != 4:
        raise NotYet(f"five edges make four bands; you give {len(found)} figures.")
    names = ["24–48", "48–96"]
    if any(value is None for value in found[:2]):
        raise NotYet(f"the band {names[found.index(None)]} holds faces of both classes, but you give None.")
    first, second = float(found[0]), float(found[1])
    mistakes = {
        "these are plain accuracies, where the more frequent class decides. Take the mean of both classes' shares.": [
            4 / 6,
            6 / 8,
        ],
        "a face of 48 pixels belongs to 48–96: a band holds its lower end, not its upper one.": [1 / 2, 11 / 12],
        "these are the shares of masks found. The bare faces count as much.": [3 / 4, 1 / 2],
        "these are the shares of bare faces found. The masks count as much.": [1 / 2, 5 / 6],
    }
    reject([first, second], mistakes)
    for name, value, shares in zip(names, (first, second), ((3 / 4, 1 / 2), (1 / 2, 5 / 6)), strict=True):
        if not same(value, float(np.mean(shares))):
            raise NotYet(
                f"in {name}, {percent(shares[0])} of the masks and {percent(shares[1])} of the bare faces are right: the "
                f"mean is {np.mean(shares):.3f}, not {value:.3f}."
            )
    if found[2] is not None:
        raise NotYet(f"no face is in 96–192. Of nothing, nothing is known: give None, not {found[2]}.")
    if found[3] is not None:
        raise NotYet(f"all faces in 192–384 are masked, so of bare ones nothing is known. Give None, not {found[3]}.")
    return "0.625 for the small faces, 0.667 for larger ones, and None where there is nothing to judge by."


@graded
def temperature(answer):
    """The temperature with which 0.9 becomes 0.75."""
    mistakes = {
        "you divide the probabilities. Take the log-odds of both, and divide these.": 0.9 / 0.75,
        "with this it says 0.99, surer than ever. Divide the log-odds of 0.9 by those of 0.75, not the other way round.": 0.5,
        "this is the quotient of the odds, 9 and 3. Take their logarithms first.": 3,
        "this is the logarithm of the quotient. Wanted is the quotient of the logarithms.": np.log(3),
        "a temperature of 1 changes nothing: it says 0.9, and is right for 75 of 100.": 1,
    }
    reject(answer, mistakes)
    if not answer > 0:
        raise NotYet(f"a temperature is above 0; with {answer:g}, labels would change.")
    if not same(float(answer), 2.0):
        raise NotYet(f"with {answer:g}, it says {1 / (1 + 9 ** (-1 / answer)):.2f}, and is right for 75 of 100.")
    return "it says 0.75 now, and no label has changed."


@graded
def unsure(function):
    """A function that gives the share of unsure faces and the share of wrong labels among the others."""
    of_masked = [0.99, 0.95, 0.90, 0.80, 0.60, 0.30, 0.05, 0.96]
    of_bare = [0.01, 0.02, 0.03, 0.04, 0.10, 0.08, 0.20, 0.45, 0.55, 0.70, 0.97, 0.06]
    masked, probability = np.arange(20) < 8, np.array(of_masked + of_bare)
    found = call_for_array(function, masked, probability, 0.1, 0.9, shape=(2,))
    out, wrong = 7 / 20, 2 / 13
    mistakes = {
        "the two have changed places. The share of unsure faces comes first.": [wrong, out],
        "first comes the share of faces that are *unsure*; you give that of the others.": [1 - out, wrong],
        "at 0.10 and at 0.90 there is a label. Only what lies between is unsure.": [9 / 20, 2 / 11],
        "2 labels are wrong, but of how many? Faces without a label are not among them.": [out, 2 / 20],
        "second comes the share of *wrong* labels; you give that of the right ones.": [out, 1 - wrong],
        "the second counts all faces, as if there were no band. Only labels outside the band count.": [out, 5 / 20],
        "an unsure face counts as wrong. It has no label, so it has no wrong one.": [out, 9 / 20],
        "these are numbers of faces. Shares are wanted.": [7, 2],
    }
    reject(found, mistakes)
    if not same(found[0], out):
        raise NotYet(f"7 of 20 faces lie between 0.1 and 0.9: 0.35 are unsure, not {found[0]:.2f}.")
    if not same(found[1], wrong):
        raise NotYet(f"13 faces get a label, and 2 of these are wrong: 0.15, not {found[1]:.2f}.")
    found = call_for_array(function, masked, probability, 0.0, 1.0, shape=(2,))
    if not same(found, [1.0, 0.0]):
        raise NotYet(
            f"with a band from 0 to 1, all are unsure, and no label is wrong: 1 and 0, not {found[0]:g} and {found[1]:g}. "
            "Do not divide by the number of labels where there is none."
        )
    return "35 % are left unsure. Of the others 15 % are wrong; without a band it would be 25 % of all."


# 08: make it fast


@graded
def milliseconds_per_frame(answer):
    """The mean time of a frame in milliseconds."""
    mistakes = {
        "this is a frame in which faces are searched. Two of three frames do without.": 14,
        "this is a frame in which no faces are searched. Every third one takes 6 ms more.": 8,
        "there are four faces, and each is classified in every frame.": 4,
        "searching is left out in two of three frames, classifying is not.": 14 / 3,
        "it is the search that is left out in two of three frames; the faces are classified in all of them.": 6 + 8 / 3,
        "these are three frames together. How much is that for one?": 30,
        "a third of the frames are searched, not two thirds.": 12,
    }
    reject(answer, mistakes)
    if not same(float(answer), 10.0):
        raise NotYet(
            f"three frames take 6 ms for one search, and 3 · 4 · 2 ms for the faces. One does not take {answer:g} ms."
        )
    return "10 ms instead of 14. With many faces it is no longer the search that takes the time."


@graded
def median_milliseconds(function):
    """A function that measures how long `work()` takes, in milliseconds."""
    now, asked, took = 1000.0, 0, []
    milliseconds = [300, 10, 500, 18, 16, 14, 600, 20, 15, 13, 17]

    def clock():
        nonlocal asked
        asked += 1
        return now

    def work():
        nonlocal now
        took.append(milliseconds[len(took) % len(milliseconds)])
        now += took[-1] / 1000

    found = call(function, work, 5, clock)
    if not took:
        raise NotYet("`work` is never called. Call it once to warm up, then once in each round.")
    if not asked:
        raise NotYet("the clock that you were given is never asked. `clock()` gives the time in seconds.")
    if len(took) == 5:
        raise NotYet(
            "there is no warm-up: the first call takes 300 ms here, since it gets everything ready, and it counts. Call "
            "`work()` once before you measure."
        )
    if len(took) < 5:
        raise NotYet(f"`work` is called {len(took)} times. A warm-up and 5 rounds are 6 calls.")
    found, rounds = float(found), took[-5:]
    right = float(np.median(rounds))
    mistakes = {
        "these are seconds. A second has 1,000 milliseconds.": right / 1000,
        f"this is the mean, and a round that was disturbed, of {max(rounds)} ms, pulls it up. Take the median.": np.mean(
            rounds
        ),
        "this is the mean, and of the warm-up as well. Take the median of the rounds.": np.mean(took),
        "the warm-up counts as well. Its time does not belong among those of the rounds.": np.median(took),
        "this is the quickest round. Half of the rounds should be quicker than the figure: take the median.": min(
            rounds
        ),
        "this is the slowest round, the one that was disturbed. Take the median.": max(rounds),
        "this is the time of all rounds together. Take the time of each.": sum(rounds),
        "this is the last round alone. Keep the time of each, then take the median.": rounds[-1],
    }
    if not same(found, right):
        reject(found, mistakes)
        listed = ", ".join(map(str, rounds))
        raise NotYet(f"after the warm-up the rounds take {listed} ms. Their median is {right:g}, not {found:.4g}.")
    calls = len(took)
    took.clear()
    call(function, work, 3, clock)
    if len(took) != calls - 2:
        raise NotYet(
            f"with 3 rounds in place of 5 there should be 2 calls fewer than {calls}, but there are {len(took)}."
        )
    return f"{right:g} ms. Neither the slow first call nor the disturbed round of {max(rounds)} ms has any say."


@graded
def costs(function):
    """A function that gives the price of a call and that of each face, in milliseconds."""
    faces = np.array([1, 2, 4, 8, 16, 32])
    line = 30 + 2.0 * faces
    found = call_for_array(function, faces, line, shape=(2,))
    mistakes = {
        "the two have changed places: `np.polyfit` gives the slope first. The price of a call is wanted first.": [
            2,
            30,
        ],
        "one face alone takes 32 ms, but that is the price of the call *and* of a face.": [32, 2],
    }
    reject(found, mistakes)
    if same(found[0], 0.0):
        raise NotYet(
            "your line goes through 0, as if a call without any face took no time. Leave room for the price of a call."
        )
    reject(
        found[1],
        {
            "time divided by faces spreads the price of the call over the faces. Fit a line, and take its slope.": np.mean(
                line / faces
            ),
            "this is the time of one face in the largest batch, with a share of the price of the call. Take the slope.": line[
                -1
            ]
            / 32,
        },
    )
    if not same(found, [30, 2]):
        raise NotYet(
            f"calls that take 30 ms and 2 ms for each face are said to take {found[0]:.4g} and {found[1]:.4g} ms."
        )
    measured = np.array([33.0, 33, 40, 45, 64, 93])
    slope, fixed = np.polyfit(faces, measured, 1)
    found = call_for_array(function, faces, measured, shape=(2,))
    if not same(found, [fixed, slope]):
        raise NotYet(
            f"right for points on a line; but times that were measured scatter, and then the best line has {fixed:.2f} and "
            f"{slope:.2f}, not {found[0]:.2f} and {found[1]:.2f}. Use all batches: `np.polyfit(…, 1)`."
        )
    return "30 ms a call, 2 ms a face: alone a face costs 32 ms, in a batch of 32 it costs 3."


@graded
def front(function):
    """A function that gives the names of the variants that no other one beats."""
    table = {
        "late": (12.0, 9.0, 0.98),
        "tiny": (2.0, 4.0, 0.90),
        "odd": (5.0, 6.0, 0.93),
        "large": (9.0, 9.0, 0.98),
        "packed": (6.0, 2.0, 0.92),
        "small": (4.0, 5.0, 0.95),
        "dull": (9.0, 9.0, 0.97),
    }
    answer = call(function, dict(table))
    if isinstance(answer, str):
        raise NotYet(f"a list of names is wanted, not the text {answer!r}.")
    found = set(answer)
    if not found <= set(table):
        raise NotYet(f"the names of variants are wanted, such as 'tiny', not {next(iter(found - set(table)))!r}.")
    alone = {
        "tiny": "this is the quickest one alone. One that is slower, but more often right, is a choice as well.",
        "large": "this is the best one alone. One that is right less often, but quicker, is a choice as well.",
        "packed": "this is the one with the smallest file alone. One that is larger, but quicker, is a choice as well.",
    }
    if len(found) == 1 and found <= set(alone):
        raise NotYet(alone[found.pop()])
    reasons = {
        "odd": "small is quicker, smaller *and* more often right",
        "late": "large is as small, is right as often, and is quicker. One that is better in one thing and equal in the rest beats it",
        "dull": "large is as small, as quick, and more often right. One that is better in one thing and equal in the rest beats it",
    }
    for name, reason in reasons.items():
        if name in found:
            raise NotYet(f"{name!r} should not be among them: {reason}.")
    if "packed" not in found:
        raise NotYet(
            "'packed' is missing: small is quicker and more often right, but its file is larger. Look at all three."
        )
    for name in ("tiny", "small", "large"):
        if name not in found:
            raise NotYet(f"{name!r} is missing: nothing that is as quick is right as often.")
    twins = {"one": (3.0, 5.0, 0.9), "other": (3.0, 5.0, 0.9), "worse": (4.0, 5.0, 0.8)}
    found = set(call(function, dict(twins)))
    if found != {"one", "other"}:
        raise NotYet(
            "of two variants with the very same figures neither beats the other, so both stay. To beat is to be as good in "
            "everything, and better in something."
        )
    return "tiny, small, large and packed: four to choose from, and three that nobody needs."


@graded
def to_int8(function):
    """A function that gives weights as 8-bit whole numbers, and the scale of each channel."""
    weights = np.random.default_rng(0).uniform(-1, 1, size=(6, 3)) * [1, 0.1, 0.01]
    weights[0] = [1.0, -0.12, 0.012]  # the largest of their channels; one of them is negative
    answer = call(function, weights)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise NotYet("two things are wanted: the whole numbers, and the scale of each channel.")
    numbers, scale = (np.asarray(part) for part in answer)
    if numbers.shape != weights.shape:
        raise NotYet(
            f"6 × 3 weights should give whole numbers of the shape (6, 3), not {numbers.shape}. They come first."
        )
    if numbers.dtype != np.int8:
        raise NotYet(f"the numbers are of the type {numbers.dtype}; an int8 takes 8 bits: `.astype(np.int8)`.")
    largest = np.abs(weights).max(axis=0)
    if scale.size == 1:
        raise NotYet(
            "one scale for all channels: the third one, whose weights are small, is left with the numbers "
            f"{numbers[:, 2].min()} to {numbers[:, 2].max()}. Give each channel its own: `axis=0`."
        )
    if scale.size == 6:
        raise NotYet("this is a scale for each row. A channel is a column here: `axis=0`.")
    if scale.size != 3:
        raise NotYet(f"three channels have three scales, not {scale.size}.")
    scale = scale.reshape(3).astype(float)
    mistakes = {
        "the scale is the wrong way round. It is what *one* whole number is worth: the largest weight / 127.": 127
        / largest,
        "a weight may be negative. Take the largest one *without its sign*: `np.abs`.": weights.max(axis=0) / 127,
        "with 128 in place of 127, the largest weight becomes 128, and an int8 ends at 127.": largest / 128,
        "this is the largest weight. It becomes 127, so one whole number is worth a 127th of it.": largest,
        "these are scales from the smallest weight to the largest. Here 0 stays 0: the largest, without sign, / 127.": np.ptp(
            weights, axis=0
        )
        / 255,
    }
    reject(scale, mistakes)
    if not same(scale / largest * 127, np.ones(3)):
        raise NotYet(
            f"the largest weight of the first channel is 1, so its scale is 1 / 127 = 0.00787, not {scale[0]:.5f}."
        )
    if np.array_equal(numbers, np.trunc(weights / scale)) or np.array_equal(numbers, np.floor(weights / scale)):
        raise NotYet("digits are cut off, so a weight may be off by a whole step. Round it first: `np.round`.")
    off = np.abs(numbers * scale - weights) / scale
    if off.max() > 0.5 + 1e-6:
        row, column = (int(place) for place in np.unravel_index(off.argmax(), off.shape))
        raise NotYet(
            f"{weights[row, column]:.4f} comes back as {numbers[row, column] * scale[column]:.4f}. Half a step is allowed, that is "
            f"{scale[column] / 2:.4f}."
        )
    numbers, scale = call(function, np.array([[0.0, 1.0], [0.0, -2.0]]))
    if not np.all(np.asarray(scale) > 0) or np.asarray(numbers)[:, 0].any():
        raise NotYet(
            "right, but a channel of zeros has the scale 0, and 0 / 0 is no number. Give such a channel the scale 1."
        )
    return f"a quarter of the space of float32, and no weight is off by more than {off.max():.2f} of a step."


@graded
def exponent(function):
    """A function that gives the slope of a line in a plot with logarithmic axes."""
    size = np.array([64.0, 96, 128, 192, 224])
    time = 0.003 * size**2
    found = float(call(function, size, time))
    mistakes = {
        "this is the slope of the values themselves. Take the logarithm of both first.": np.polyfit(size, time, 1)[0],
        "only the times are logarithms. Take the logarithm of the sizes as well.": np.polyfit(size, np.log(time), 1)[0],
        "only the sizes are logarithms. Take the logarithm of the times as well.": np.polyfit(np.log(size), time, 1)[0],
        "the axes have changed places: the time grows with the size, not the size with the time.": 0.5,
        "this is where the line begins, not how steep it is. `np.polyfit` gives the slope first.": np.log(0.003),
        "this is the quotient of two logarithms. The slope is that of two *differences*: `np.polyfit`.": np.mean(
            np.log(time) / np.log(size)
        ),
    }
    reject(found, mistakes)
    if not same(found, 2.0):
        raise NotYet(f"a time that grows with the square of the size has the slope 2, not {found:.3f}.")
    found = float(call(function, size, 5 * size))
    if not same(found, 1.0):
        raise NotYet(f"a time that doubles when the size doubles has the slope 1, not {found:.3f}.")
    measured = np.array([13.0, 26, 52, 105, 160])
    best = np.polyfit(np.log(size), np.log(measured), 1)[0]
    found = float(call(function, size, measured))
    if not same(found, float(best)):
        raise NotYet(
            f"right for points on a line; but times that were measured scatter, and then the best line has the slope {best:.3f}, "
            f"not {found:.3f}. Use all points: `np.polyfit(…, 1)`."
        )
    return "2 for a square, 1 for what grows in step: the slope is the exponent."


# 09: two classes of your own


@graded
def own_photos(folder):
    """The folder that holds your two class folders."""
    from . import datasets
    from .paths import resolve

    try:
        manifest, left_out = datasets.read_class_folders(resolve(folder))
        datasets.split_by_group(manifest, seed=0)
    except datasets.DataError as error:
        raise NotYet(str(error)) from None
    counts, groups = manifest["label"].value_counts(), manifest["group"].nunique()
    few, many = counts.idxmin(), counts.idxmax()
    if counts[few] < 30:
        raise NotYet(
            f"{few} holds {counts[few]} photos; take 30 at least. Of so few, each in the test part decides too much."
        )
    if counts[many] > 3 * counts[few]:
        raise NotYet(
            f"{counts[many]} photos of {many} and {counts[few]} of {few}: whoever always says {many} is nearly always "
            f"right. Take more photos of {few}, or fewer of {many}."
        )
    if groups < 10:
        raise NotYet(
            f"all photos hang together in {groups} groups, so one or two groups judge the classifier. Take photos of more "
            "people, animals or places."
        )
    named = (resolve(folder) / datasets.GROUPS_FILE).is_file()
    source = "groups.csv says which" if named else "near copies only; which photos hang together besides?"
    aside = f" Left out, unusable: {len(left_out)}." if len(left_out) else ""
    return f"{', '.join(f'{count} of {name}' for name, count in counts.sort_index().items())}; {groups} groups ({source}).{aside}"


@graded
def giveaway(function, folder):
    """The folder of exercise 1, and a function that gives a simple number of a photo."""
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier

    from . import datasets
    from .paths import resolve
    from .photos import read_photo

    manifest, _ = datasets.read_class_folders(resolve(folder))
    values = [float(call(function, read_photo(resolve(folder) / path))) for path in manifest["path"]]
    if np.ptp(values) == 0:
        raise NotYet(f"`{function.__name__}` gives {values[0]:g} for every photo: it looks at nothing.")
    folds = datasets.folds_by_group(manifest, seed=0)
    parts = [(np.flatnonzero(folds != number), np.flatnonzero(folds == number)) for number in range(5)]
    rule = DecisionTreeClassifier(max_depth=1, random_state=0)
    right = cross_val_score(rule, np.reshape(values, (-1, 1)), manifest["label"], cv=parts).mean()
    if right > 0.7:
        raise NotYet(
            f"this number alone is right for {percent(right)} of the photos. A network will find it, too, and need not "
            "look at what you mean. What else differs between your two folders? Take both classes in the same places."
        )
    return f"this number alone is right for {percent(right)} of the photos; a coin is for 50 %."
