"""The checks of the exercises: each typical mistake gets its own sentence, and no answer whatever stops a notebook."""

import hashlib
import importlib
import json
import re
import shutil

import cv2
import numpy as np
import pytest
from conftest import ROOT
from exercise_checks import grading, lesson_00, lesson_02, lesson_05, lesson_10, own

from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED
from maskdet_utils.synthesis import masks

LESSONS = sorted(path.stem for path in (ROOT / "notebooks" / "exercise_checks").glob("lesson_*.py"))
CHECKS = {
    name: check
    for lesson in LESSONS
    for name, check in vars(importlib.import_module(f"exercise_checks.{lesson}")).items()
    if hasattr(check, "__wrapped__")
}


def said(capsys, check, *answers):
    """What a check prints."""
    assert check(*answers) is None
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    return printed.strip()


def trained_head(head, base, examples, *, sign=1, rate=0.1, factor=lambda base, x: base * x, thawed=False, stale=False):
    start = head
    for x, wanted in examples:
        step = sign * rate * (wanted - (start if stale else head) * base * x)
        head, base = head + step * factor(base, x), base + (step * head * x if thawed else 0)
    return head


def softmax(scores, axis):
    return np.exp(scores) / np.exp(scores).sum(axis=axis, keepdims=axis is not None)


def by_photo(people, seed):
    return np.random.default_rng(seed).permutation(len(people)) < len(people) // 5


def by_person(people, seed, share=0.2):
    names = np.unique(people)
    return np.isin(people, np.random.default_rng(seed).permutation(names)[: round(share * len(names))])


def rain_that_wraps(photo, rng):
    wet = photo.copy()
    wet[rng.integers(90, size=20), rng.integers(80, size=20)] += 60
    return wet


def rain_into_the_photo(photo, rng):
    photo[rng.integers(90, size=20)] = 255
    return photo


def log_loss(p, targets=None):
    return -np.log(np.clip(p, 1e-7, 1))


def head(*layers):
    import keras

    names = {name: getattr(keras.layers, name) for name in ("GlobalAveragePooling2D", "Flatten", "Dense", "Dropout")}
    return lambda n_classes: keras.Sequential([eval(layer, names, {"n": n_classes}) for layer in layers])


def freeze_all(classifier):
    classifier.trainable = False


def freeze_the_head(classifier):
    classifier.get_layer("head").trainable = False


def freeze_with_training(classifier):
    classifier.get_layer("base").training = False


def minimum(losses, patience):
    return int(np.argmin(losses)) + 1


def last_epoch(losses, patience):
    best = waited = 0
    for epoch, loss in enumerate(losses):
        waited = 0 if loss < losses[best] else waited + 1
        best = epoch if loss < losses[best] else best
        if epoch and waited == patience:
            return epoch + 1
    return len(losses)


def waits_only_once(losses, patience):
    best = waited = 0
    for epoch in range(1, len(losses)):
        if losses[epoch] < losses[best]:
            best = epoch
        else:
            waited += 1
        if waited == patience:
            break
    return best + 1


def cosine(step, steps, warmup, largest, wave=1, lift=1):
    if step < warmup:
        return largest * step / warmup * (1 if lift else 0.5)
    return largest * (lift + np.cos(wave * np.pi * (step - warmup) / (steps - warmup))) / 2


def asks(change, output=None):
    """A function that gives the classifier `change(scaled)`, and makes `output(probabilities, classes)` of its answer."""
    output = output or (lambda p, classes: [classes[number] for number in p.argmax(1)])
    return lambda classifier, labels, scaled: output(classifier(change(scaled)), labels["classes"])


def undone(scaled):
    return (scaled + 1) * 127.5


def street(p, share, sign=1, odds=lambda share: share / (1 - share), log=np.log, back=lambda x: 1 / (1 + np.exp(-x))):
    return back(log(p / (1 - p)) + sign * log(odds(share)))


def by_value(before, now):
    return "better" if now["value"] > before["value"] else "worse"


def by_the_old_interval(before, now):
    if before["low"] is None or now["low"] is None or before["low"] <= now["value"] <= before["high"]:
        return "nobody knows"
    return by_value(before, now)


def without_none(before, now):
    if now["low"] > before["high"]:
        return "better"
    return "worse" if now["high"] < before["low"] else "nobody knows"


def none_is_best(before, now):
    ends = [[1.0 if score[end] is None else score[end] for end in ("low", "high")] for score in (before, now)]
    return without_none(*[{"low": low, "high": high} for low, high in ends])


def resampled(correct, groups, seed, replace=True, ends=(2.5, 97.5), share=1.0):
    rng, names = np.random.default_rng(seed), np.unique(groups)
    sums, sizes = (np.bincount(groups, weights) for weights in (correct, None))
    draws = [rng.choice(names, int(share * len(names)), replace) for _ in range(1000)]
    draws = [sums[drawn].sum() / sizes[drawn].sum() for drawn in draws]
    return np.percentile(draws, ends)


def over_photos(correct, person, seed):
    return resampled(correct, np.arange(len(correct)), seed)


def lowest_within(masked, bare, limit):
    return min((value for value in masked if (bare >= value).mean() <= limit), default=2)


def covered(classify, photo, cell, fresh=True, sign=1, whole=True, transposed=False):
    start, current = classify(photo), photo.copy()
    fall = np.zeros((photo.shape[0] // cell, photo.shape[1] // cell))
    for row, column in np.ndindex(fall.shape):
        current = photo.copy() if fresh else current
        current[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 128
        fall[row, column] = sign * (whole * start - classify(current))
    return fall.T if transposed else fall


def cut(frame, box, margin, sides=1.0, rgb=True, transposed=False, clip=True):
    x, y, width, height = box
    across, down = round(sides * margin * width), round(sides * margin * height)
    left, top = (max(0, x - across), max(0, y - down)) if clip else (x - across, y - down)
    right, bottom = x + width + across, y + height + down
    crop = frame[left:right, top:bottom] if transposed else frame[top:bottom, left:right]
    return crop[..., ::-1] if rgb else crop


def common(box, other, least=0.0):
    sides = (min(box[i] + box[i + 2], other[i] + other[i + 2]) - max(box[i], other[i]) for i in (0, 1))
    return float(np.prod([max(least, side) for side in sides]))


def area(box):
    return box[2] * box[3]


def worth_of(arms, figure=np.mean, above=True, sign=1, change=float):
    names = list(arms)
    others = names if above else names[:1] * len(names)
    pairs = zip(names[1:], others, strict=False)
    return {name: change(sign * (figure(arms[name]) - figure(arms[other]))) for name, other in pairs}


def size_bands(masked, called, size, edges, figure=None, upper=False, empty=None, both=True):
    found = []
    for low, high in zip(edges, edges[1:], strict=False):
        band = (size > low) & (size <= high) if upper else (size >= low) & (size < high)
        parts = [(called == masked)[band & (masked == kind)] for kind in (True, False)]
        known = [part.mean() for part in parts if len(part)]
        found.append((figure or np.mean)(known) if len(known) > (both or not known) else empty)
    return found


def in_a_band(masked, probability, low, high, edges=False, of=lambda sure: sure, wrong_at=0.5):
    sure = (probability < low) | (probability > high) if edges else (probability <= low) | (probability >= high)
    wrong = ((probability >= wrong_at) != masked) & of(sure)
    return 1 - sure.mean(), wrong.sum() / max(1, of(sure).sum())


def timed(work, rounds, clock, figure=np.median, warm_up=1, unit=1000, counted=0, times=None):
    times = [] if times is None else times
    for number in range(warm_up + rounds):
        start = clock()
        work()
        if number >= warm_up - counted:
            times.append(unit * (clock() - start))
    return figure(times)


def without_the_clock(work, rounds, clock):
    for _ in range(rounds + 1):
        work()
    return 16.0


def ends_only(faces, milliseconds):
    slope = (milliseconds[-1] - milliseconds[0]) / (faces[-1] - faces[0])
    return milliseconds[0] - slope * faces[0], slope


def fitted(x, y):
    return np.polyfit(x, y, 1)[::-1]


def not_beaten(table, use=(0, 1, 2), strictly=False, twins=True):
    rows = {name: np.array([row[0], row[1], -row[2]])[list(use)] for name, row in table.items()}
    if strictly:
        return [name for name, row in rows.items() if not any((other < row).all() for other in rows.values())]
    return [
        name
        for name, row in rows.items()
        if not any((r <= row).all() and ((r < row).any() or not twins) for n, r in rows.items() if n != name)
    ]


def whole_numbers(weights, axis=0, largest=127, cut=np.round, unsigned=np.abs, zeros=1.0, kind="int8"):
    scale = unsigned(weights).max(axis=axis, keepdims=axis is not None) / largest
    scale = np.where(scale == 0, zeros, scale)
    return np.clip(cut(weights / scale), -127, 127).astype(kind), scale


def log_slope(x, y, of_x=np.log, of_y=np.log, which=0):
    return np.polyfit(of_x(x), of_y(y), 1)[which]


def steepness(x, y):
    return np.log(y[-1] / y[0]) / np.log(x[-1] / x[0])


def itself(values):
    return values


MASKED, BARE = np.array([0.9, 0.8, 0.7, 0.6, 0.2]), np.array([0.65, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])

# check, answers, and words that its sentence must hold
MISTAKES = [
    ("printed", [[80, 160, 80, "NameError"]], "B ran twice"),
    ("printed", [[160, 160, 80, "NameError"]], "Follow `size`"),
    ("printed", [[40, 40, 80, "NameError"]], "A ran again"),
    ("printed", [[40, 160, "NameError", "NameError"]], "not from the kernel"),
    ("printed", [[40, 160, 160, "NameError"]], "B changes `size`"),
    ("printed", [[40, 160, 20, "NameError"]], "A had run again"),
    ("printed", [[40, 160, 80, 80]], "a restart empties the kernel"),
    ("printed", [[40, 160, 80, "SyntaxError"]], "isn't called SyntaxError"),
    ("printed", [[40, 160, 80]], "a list of four"),
    ("train_head", [lambda head, base, examples: head], "the head hasn't changed"),
    ("train_head", [lambda *a: trained_head(*a, sign=-1)], "moves away"),
    ("train_head", [lambda head, base, examples: trained_head(head, 1, examples)], "without a base"),
    ("train_head", [lambda *a: trained_head(*a, factor=lambda base, x: x)], "multiplied the step by `x`"),
    ("train_head", [lambda *a: trained_head(*a, factor=lambda base, x: 1)], "left out the feature"),
    ("train_head", [lambda *a: trained_head(*a, thawed=True)], "the base has changed"),
    ("train_head", [lambda *a: trained_head(*a, stale=True)], "with the initial head"),
    ("train_head", [lambda head, base, examples: trained_head(head, base, examples[:1])], "inside the loop"),
    ("train_head", [lambda head, base, examples: trained_head(head, base, examples[-1:])], "only the last example"),
    ("train_head", [lambda head, base, examples: base * trained_head(head, base, examples)], "only the head"),
    ("train_head", [lambda head, base, examples: trained_head(0.5, 2.0, examples)], "not for others"),
    ("train_head", [lambda *a: trained_head(*a, rate=0.2)], "from 0.5 to 1.446"),
    ("sentence", ["Cover your mouth and nose"], "25 characters"),
    ("sentence", ["Cover your south and nose."], "2 letters differ"),
    ("sentence", ["Cover your mouth and hose."], "its checksum begins with"),
    ("is_intact", [lambda c, e: len(c) == 18], "size is the same"),
    ("is_intact", [lambda c, e: hashlib.sha256(c).digest() == e], "hexdigest"),
    ("is_intact", [lambda c, e: hashlib.sha256(c).hexdigest()[:8] == e[:8]], "first 16 characters"),
    ("size", [56], "a sixteenth"),
    ("size", [160], "51%"),
    ("label_of", [lambda path, folder: path.name], "name of the file"),
    ("label_of", [lambda path, folder: path.parent], "this is a path"),
    ("label_of", [lambda path, folder: path.parent.name], "not 'monday'"),
    ("label_of", [lambda path, folder: path.parts[1]], "relative_to"),
    ("scale", [lambda pixels: pixels / 255], "That is 0…1"),
    ("scale", [lambda pixels: (pixels / 127.5 - 1)[..., ::-1]], "red and blue"),
    ("scale", [lambda pixels: pixels / 127.5 - 1], "float64"),
    ("scale", [lambda pixels: (pixels / 128 - 1).astype("float32")], "127.5, not 128"),
    ("scale", [lambda pixels: pixels // 127 - 1], "still uint8"),
    ("scale", [lambda pixels: pixels.astype("float32")], "not 0, 128, 255"),
    ("one_hot", [lambda labels, classes: np.array([[1, 0], [0, 1], [1, 0]])], "columns are swapped"),
    ("one_hot", [lambda labels, classes: [classes.index(label) for label in labels]], "(3, 2), not (3,)"),
    ("one_hot", [lambda labels, classes: np.eye(2)[[int(label == "without_mask") for label in labels]]], "[[1."),
    ("is_test", [by_photo], "You chose photos"),
    ("is_test", [lambda people, seed: ~by_person(people, seed)], "swap True and False"),
    ("is_test", [lambda people, seed: by_person(people, seed, 0.5)], "50% of them"),
    ("is_test", [lambda people, seed: by_person(people, 0)], "every seed gives the same people"),
    ("is_test", [lambda people, seed: by_person(people, None)], "the same seed gives a different split"),
    ("is_test", [lambda people, seed: by_person(people, seed).astype(int)], "True and False"),
    ("is_test", [lambda people, seed: people[by_person(people, seed)]], "(200,) is expected"),
    ("factor", [30], "full turns"),
    ("factor", [np.radians(30)], "radians"),
    ("factor", [30 / 180], "60°"),
    ("factor", [20 / 360], "20°"),
    ("flip", [lambda photo: photo[::-1]], "upside down"),
    ("flip", [lambda photo: photo[..., ::-1]], "red and blue"),
    ("flip", [lambda photo: np.rot90(photo, 2)], "180°"),
    ("flip", [lambda photo: photo.transpose(1, 0, 2)], "(3, 4, 3)"),
    ("rain", [rain_that_wraps], "starts over after 255"),
    ("rain", [rain_into_the_photo], "alters the array"),
    ("rain", [lambda photo, rng: photo + rng.normal(size=photo.shape)], "float64"),
    ("rain", [lambda photo, rng: photo // 2 + 128], "same in every photo"),
    ("rain", [lambda photo, rng: photo], "isn't raining"),
    ("rain", [lambda photo, rng: rng.integers(130, 256, photo.shape, dtype=np.uint8)], "is covered"),
    ("style", [masks.Style("cloth", "checks", color=(30, 40, 200))], "is blue"),
    ("style", [masks.Style("cloth", "checks", color=(0.8, 0.1, 0.1))], "not from 0 to 1"),
    ("style", [masks.Style("cloth", "dots", color=(200, 30, 40))], "'dots'"),
    ("style", [masks.Style("surgical", "checks")], "'surgical'"),
    ("image_size", [96], "3 × 3"),
    ("image_size", [130], "isn't a multiple of 32"),
    ("n_numbers", [1280 * 64 + 64 * 2], "bias"),
    ("n_numbers", [1280 * 64 + 64], "softmax neurons learn, too"),
    ("n_numbers", [1280 * 64 + 64 + 258], "64 inputs, not 128"),
    ("softmax", [lambda scores: 1 / (1 + np.exp(-scores))], "sigmoid"),
    ("softmax", [lambda scores: softmax(scores, 0)], "columns add up to 1"),
    ("softmax", [lambda scores: softmax(scores, None)], "by the same sum"),
    ("softmax", [lambda scores: softmax(scores, 1)], "largest score first"),
    ("softmax", [lambda scores: scores / scores.sum(axis=1, keepdims=True)], "np.exp"),
    ("build_head", [head("GlobalAveragePooling2D()", "Dense(64, 'relu')", "Dense(n, 'sigmoid')")], "sigmoid"),
    ("build_head", [head("GlobalAveragePooling2D()", "Dense(64, 'relu')", "Dropout(0.3)", "Dense(n)")], "are scores"),
    ("build_head", [head("Flatten()", "Dense(64, 'relu')", "Dense(n, 'softmax')")], "every cell"),
    ("build_head", [head("Dense(64, 'relu')", "Dense(n, 'softmax')")], "pooling missing"),
    ("build_head", [head("GlobalAveragePooling2D()", "Dense(64, 'relu')", "Dense(2, 'softmax')")], "n_classes"),
    (
        "build_head",
        [head("GlobalAveragePooling2D()", "Dense(64, 'relu')", "Dense(n, 'softmax')")],
        "no Dropout",
    ),
    (
        "build_head",
        [head("GlobalAveragePooling2D()", "Dense(64)", "Dropout(0.3)", "Dense(n, 'softmax')")],
        "have no ReLU",
    ),
    ("freeze", [freeze_all], "nothing can learn"),
    ("freeze", [freeze_the_head], "froze the head instead"),
    ("freeze", [freeze_with_training], "training mode"),
    ("cross_entropy", [lambda t, p: -log_loss((t * p).sum(1)).mean()], "left out the minus sign"),
    ("cross_entropy", [lambda t, p: log_loss((t * p).sum(1))], "individual photos"),
    ("cross_entropy", [lambda t, p: log_loss((t * p).sum(1)).sum()], "sum over the photos"),
    ("cross_entropy", [lambda t, p: (t * log_loss(p)).mean()], "zeros of the other class"),
    ("cross_entropy", [lambda t, p: log_loss(p).sum(1).mean()], "Multiply by the targets"),
    ("cross_entropy", [lambda t, p: log_loss(((1 - t) * p).sum(1)).mean()], "wrong class"),
    ("cross_entropy", [lambda t, p: -np.log10((t * p).sum(1)).mean()], "base 10"),
    ("cross_entropy", [lambda t, p: -np.log((t * p).sum(1)).mean()], "−∞"),
    ("best_epoch", [lambda losses, patience: minimum(losses, patience) - 1], "Python counts from 0"),
    ("best_epoch", [minimum], "never gets to"),
    ("best_epoch", [last_epoch], "where training stops"),
    ("best_epoch", [lambda losses, patience: len(losses)], "the last one"),
    ("best_epoch", [waits_only_once], "starts over"),
    ("features_stay", [True, True, True, False], "`top_of_the_base_thawed`: what does a training step"),
    ("features_stay", [True, "yes", False, False], "should be True or False"),
    ("pace", [lambda step, steps, warmup, top: cosine(step, steps, 0, top)], "rise during the first steps is missing"),
    ("pace", [lambda *a: cosine(*a, lift=0) * 2], "Add 1 and divide by 2"),
    ("pace", [lambda *a: cosine(*a, wave=2)], "a whole wave"),
    ("pace", [lambda *a: cosine(*a, wave=0.5, lift=0) * 2], "a quarter of a wave"),
    ("pace", [lambda step, steps, warmup, top: min(step / warmup, (steps - step) / (steps - warmup))], "straight line"),
    ("pace", [lambda step, steps, warmup, top: cosine(step, steps, warmup, 1)], "`largest` makes no difference"),
    ("pace", [lambda *a: cosine(*a) ** 2], "the rate at step 5 is 0.500, not 0.250"),
    ("names_of", [asks(lambda scaled: scaled)], "almost black"),
    ("names_of", [asks(lambda scaled: scaled * 127.5)], "Add 1 before you multiply"),
    ("names_of", [asks(lambda scaled: (scaled + 1) / 2)], "in 0…1"),
    ("names_of", [asks(lambda scaled: (scaled + 1) * 255)], "2 wide"),
    ("names_of", [asks(lambda scaled: scaled * 255)], "−255…255"),
    ("names_of", [asks(lambda scaled: scaled / 127.5 - 1)], "Turn the formula around"),
    ("names_of", [asks(lambda scaled: undone(scaled) + 20)], "as they were before the scaling"),
    ("names_of", [asks(lambda scaled: undone(scaled)[:1])], "of shape (1, 4, 4, 3)"),
    ("names_of", [lambda classifier, labels, scaled: labels["classes"]], "never called"),
    ("names_of", [asks(undone, lambda p, classes: p.argmax(1))], "output numbers"),
    ("names_of", [asks(undone, lambda p, classes: [classes[number] for number in p.argmin(1)])], "names are swapped"),
    ("names_of", [asks(undone, lambda p, classes: ["with_mask"] * len(p))], "an ant and two zebras"),
    ("doubt", [0.75, 0.625], "share of the *other* pictures"),
    ("doubt", [0, 0.625], "sure and wrong about 25 pictures"),
    ("doubt", [1, 0.625], "sure and wrong about 75 pictures"),
    ("doubt", [0.5, 0.625], "as many masks above the tip"),
    ("doubt", [0.33, 0.625], "not 0.33"),
    ("doubt", [0.25, 0.5], "The other 25"),
    ("doubt", [0.25, 0.25], "a target of 0 anymore"),
    ("doubt", [0.25, 0.375], "what the 75 pictures contribute"),
    ("doubt", [0.25, 0.75], "the mean of the two targets"),
    ("doubt", [0.25, 0.6], "isn't 0.6"),
    ("on_the_street", [lambda p, share: street(p, share, back=itself)], "these are log-odds"),
    ("on_the_street", [lambda p, share: street(p, share, back=np.exp)], "these are odds"),
    ("on_the_street", [lambda p, share: p + np.log(share / (1 - share))], "to the *probability*"),
    ("on_the_street", [lambda p, share: street(p, share, sign=-1)], "the wrong direction"),
    ("on_the_street", [lambda p, share: street(p, share, odds=itself)], "you added log(share)"),
    ("on_the_street", [lambda p, share: p * share], "just the product"),
    ("on_the_street", [lambda p, share: np.full(len(p), share)], "just the share"),
    ("on_the_street", [lambda p, share: p], "What does `share` do?"),
    ("on_the_street", [lambda p, share: street(p, share, log=np.log10)], "base 10"),
    ("on_the_street", [lambda p, share: p**2], "with one mask in 20"),
    ("on_the_street", [lambda p, share: street(p, 0.05)], "nothing should change"),
    ("on_the_street", [lambda p, share: street(np.clip(p, 0.01, 0.99), share)], "0 should stay 0"),
    ("compare", [by_value], 'to 0.92 (0.88–0.96) "better"'),
    ("compare", [by_the_old_interval], 'to 0.93 (0.85–0.97) "better"'),
    ("compare", [lambda before, now: without_none(now, before)], "Did you swap"),
    ("compare", [lambda before, now: "nobody knows"], "don't overlap"),
    ("compare", [lambda before, now: now["low"] > before["high"]], "not True"),
    ("compare", [without_none], "are None. `without_none` stops in line"),
    ("compare", [none_is_best], "if either score has no interval"),
    ("threshold", [0.45, MASKED, BARE], "20% of the bare faces"),
    ("threshold", [0.75, MASKED, BARE], "A lower threshold finds 80%"),
    ("precision_and_recall", [lambda c: (c[0, 0] / c[0].sum(), c[0, 0] / c[:, 0].sum())], "swapped"),
    ("precision_and_recall", [lambda c: (c[1, 1] / c[:, 1].sum(), c[1, 1] / c[1].sum())], "class 1"),
    ("precision_and_recall", [lambda c: (c.trace() / c.sum(),) * 2], "the accuracy"),
    ("precision_and_recall", [lambda c: c[0, 0] / c[:, 0].sum()], "(2,) is expected"),
    (
        "best_threshold",
        [lambda m, b, limit: 0.5, RELEASED],
        "0.500 calls 20% of the bare faces masked, but only 10% are",
    ),
    (
        "best_threshold",
        [lambda m, b, limit: m.max(), RELEASED],
        "it finds only 20% of the masks. A lower one finds 40%",
    ),
    ("best_threshold", [lambda m, b, limit: lowest_within(m, b, 0.1), RELEASED], "A lower one finds 80%"),
    ("best_threshold", [lambda m, b, limit: m[[2, 3]], RELEASED], "() is expected"),
    (
        "best_threshold",
        [lowest_within, "runs/nowhere"],
        "there is no classifier in runs/nowhere. Run notebook 04 first",
    ),
    ("fold", [np.arange(20) % 5, np.arange(20) // 4, lambda fold: 1.0], "5 of 5 people"),
    ("fold", [np.arange(20) // 8, np.arange(20) // 4, lambda fold: 1.0], "you have 3"),
    ("interval", [over_photos], "Draw people"),
    ("interval", [lambda c, p, s: resampled(c, p, s, replace=False)], "with* replacement"),
    ("interval", [lambda c, p, s: resampled(c, p, s, ends=(5, 95))], "2.5 and 97.5"),
    ("interval", [lambda c, p, s: resampled(c, p, s, share=0.5)], "as many people as there are"),
    ("interval", [lambda c, p, s: 100 * resampled(c, p, s)], "between 0 and 1"),
    ("interval", [lambda c, p, s: resampled(c, p, None)], "with the same seed"),
    ("occlusion", [lambda *a: covered(*a, sign=-1)], "sign"),
    ("occlusion", [lambda *a: covered(*a, sign=-1, whole=False)], "these are the probabilities"),
    ("occlusion", [lambda *a: covered(*a, fresh=False)], "stay covered"),
    ("occlusion", [lambda *a: covered(*a, transposed=True)], "rows and columns"),
    ("occlusion", [lambda classify, photo, cell: classify(photo[:cell, :cell])], "whole photo"),
    ("seconds_behind", [20], "How long ago"),
    ("seconds_behind", [0], "waits its turn"),
    ("weight", [1], "a single wrong frame"),
    ("weight", [0.05], "13 frames"),
    ("weight", [2], "at most 1"),
    ("face_crop", [lambda *a: cut(*a, rgb=False)], "red and blue are swapped"),
    ("face_crop", [lambda *a: cut(*a, sides=0.5)], "on *every* side"),
    ("face_crop", [lambda *a: cut(*a, sides=0)], "box itself"),
    ("face_crop", [lambda *a: cut(*a, transposed=True)], "x and y are mixed up"),
    ("face_crop", [lambda *a: cut(*a, clip=False)], "negative index"),
    ("overlap", [common], "in both boxes. Divide it"),
    ("overlap", [lambda a, b: common(a, b) / (area(a) + area(b))], "twice"),
    ("overlap", [lambda a, b: common(a, b) / area(a)], "one box"),
    ("overlap", [lambda a, b: common(a, b, -99) / (area(a) + area(b) - common(a, b, -99))], "apart in both"),
    ("change_in_points", [lambda p, m, trained=0.25: 100 * np.mean(p(m) - p(trained))], "cancel out"),
    ("change_in_points", [lambda p, m, trained=0.25: np.mean(np.abs(p(m) - p(trained)))], "this is a fraction"),
    ("change_in_points", [lambda p, m, trained=0.25: np.mean(p(trained) - p(m))], "cancel out, and this is a fraction"),
    ("change_in_points", [lambda p, m, trained=0.25: 100 * np.sum(np.abs(p(m) - p(trained)))], "the sum"),
    ("change_in_points", [lambda p, m, trained=0.25: 100 * np.max(np.abs(p(m) - p(trained)))], "the largest"),
    ("change_in_points", [lambda p, m, trained=0.25: 100 * np.mean(np.abs(p(m) / p(trained) - 1))], "*points*"),
    ("change_in_points", [lambda p, m, trained=0.25: 100 * np.mean(np.abs(p(m) - p(0.25)))], "Compare with `trained`"),
    ("change_in_points", [lambda p, m, trained=0.25: 12], "15 on average"),
    ("take", [{"clinic": (300, 30), "street": (20, 280)}], "for 92%"),
    ("take", [{"clinic": (150, 150), "street": (20, 20)}], "only 30 bare photos from the clinic"),
    ("take", [{"clinic": (60, 30), "street": (20, 10)}], 'always say "with mask", you are right about 67%'),
    ("take", [{"clinic": (20, 20), "street": (20, 20)}], "You can take more"),
    ("take", [{"clinic": (0, 0), "street": (0, 0)}], "no photos left"),
    ("take", [{"clinic": (30, 30)}], "not clinic"),
    ("leaked", [lambda g, t: np.isin(g[t], g[~t]).sum() / len(g)], "7 *test* photos"),
    ("leaked", [lambda g, t: np.isin(g[t], g[~t]).sum()], "Divide it"),
    ("leaked", [lambda g, t: np.isin(np.unique(g[t]), g[~t]).mean()], "share of the groups"),
    ("leaked", [lambda g, t: len(np.intersect1d(g[t], g[~t])) / len(np.unique(g))], "on both sides"),
    ("leaked", [lambda g, t: np.isin(g[~t], g[t]).mean()], "*training* photos"),
    ("leaked", [lambda g, t: np.mean([(g == name).sum() > 1 for name in g[t]])], "in the *test* set is not a leak"),
    ("leaked", [lambda g, t: 1 - np.isin(g[t], g[~t]).mean()], "*not* in training"),
    ("leaked", [lambda g, t: np.isin(g[t], g).mean()], "itself"),
    ("leaked", [lambda g, t: 4 / 7], "the leak is 0"),
    ("worth", [lambda arms: {name: float(np.mean(a)) for name, a in arms.items()}], "none above it"),
    ("worth", [lambda arms: {name: np.mean(a) for name, a in list(arms.items())[1:]}], "own accuracies"),
    ("worth", [lambda arms: worth_of(arms, above=False)], "the first one"),
    ("worth", [lambda arms: worth_of(arms, sign=-1)], "the wrong way around"),
    ("worth", [lambda arms: worth_of(arms, change=abs)], "Keep the sign"),
    ("worth", [lambda arms: worth_of(arms, max)], "best seeds"),
    ("worth", [lambda arms: worth_of(arms, lambda a: a[0])], "only the first seed"),
    ("worth", [lambda arms: worth_of(arms, np.sum)], "not by +0.24"),
    ("worth", [lambda arms: list(worth_of(arms).values())], "not list"),
    ("worth", [lambda arms: {"color": 0.02}], "you return color"),
    ("worth", [lambda arms: {"many masks": 0.12, "grain": -0.01, "color": 0.02}], "three arms with one seed"),
    ("by_size", [lambda *a: [4 / 6, 6 / 8, None, None]], "plain accuracies"),
    ("by_size", [lambda *a: size_bands(*a, upper=True)], "its lower edge"),
    ("by_size", [lambda *a: size_bands(*a, figure=lambda known: known[0])], "shares of masked faces"),
    ("by_size", [lambda *a: size_bands(*a, figure=lambda known: known[-1])], "shares of bare faces"),
    ("by_size", [lambda *a: size_bands(*a, figure=np.prod)], "75% of the masked and 50% of the bare faces"),
    ("by_size", [lambda *a: size_bands(*a, empty=np.nan)], "Return None, not nan"),
    ("by_size", [lambda *a: size_bands(*a, both=False)], "all faces in 192–384 are masked"),
    ("by_size", [lambda *a: size_bands(*a)[:2]], "you return 2 scores"),
    ("by_size", [lambda *a: [None] * 4], "but you return None"),
    ("temperature", [1], "changes nothing"),
    ("temperature", [0.9 / 0.75], "you divided the probabilities"),
    ("temperature", [0.5], "surer than ever"),
    ("temperature", [3], "quotient of the odds"),
    ("temperature", [np.log(3)], "quotient of the logarithms"),
    ("temperature", [4], "it says 0.63"),
    ("temperature", [-2], "above 0"),
    ("unsure", [lambda *a: in_a_band(*a)[::-1]], "in the wrong order"),
    ("unsure", [lambda *a: (1 - in_a_band(*a)[0], in_a_band(*a)[1])], "of all the others"),
    ("unsure", [lambda *a: in_a_band(*a, edges=True)], "Only what lies between"),
    ("unsure", [lambda *a: (in_a_band(*a)[0], 2 / 20)], "but out of how many"),
    ("unsure", [lambda *a: (in_a_band(*a)[0], 1 - in_a_band(*a)[1])], "the share of right ones"),
    ("unsure", [lambda *a: in_a_band(*a, of=np.ones_like)], "as if there were no band"),
    ("unsure", [lambda *a: (in_a_band(*a)[0], 9 / 20)], "counted unsure faces as wrong"),
    ("unsure", [lambda *a: (7, 2)], "numbers of faces"),
    ("unsure", [lambda *a: (0.5, 2 / 13)], "the share is 0.35, not 0.50"),
    ("unsure", [lambda *a: (in_a_band(*a)[0], 0.3)], "the share is 0.15, not 0.30"),
    ("unsure", [lambda *a: (in_a_band(*a)[0], in_a_band(*a)[1] or np.nan)], "1 and 0, not 1 and nan"),
    ("milliseconds_per_frame", [14], "that is searched for faces"),
    ("milliseconds_per_frame", [8], "Every third frame takes 6 ms more"),
    ("milliseconds_per_frame", [4], "there are four faces"),
    ("milliseconds_per_frame", [14 / 3], "none skips the classification"),
    ("milliseconds_per_frame", [6 + 8 / 3], "it's the search"),
    ("milliseconds_per_frame", [30], "the time for three frames"),
    ("milliseconds_per_frame", [12], "not two thirds"),
    ("milliseconds_per_frame", [0], "doesn't take 0 ms"),
    ("median_milliseconds", [lambda *a: timed(*a, warm_up=0)], "there is no warm-up"),
    ("median_milliseconds", [lambda *a: timed(*a, counted=1)], "you counted the warm-up"),
    ("median_milliseconds", [lambda *a: timed(*a, unit=1)], "these are seconds"),
    ("median_milliseconds", [lambda *a: timed(*a, np.mean)], "Take the median"),
    ("median_milliseconds", [lambda *a: timed(*a, np.mean, counted=1)], "it includes the warm-up"),
    ("median_milliseconds", [lambda *a: timed(*a, min)], "fastest round"),
    ("median_milliseconds", [lambda *a: timed(*a, max)], "slowest round"),
    ("median_milliseconds", [lambda *a: timed(*a, sum)], "total time of all rounds"),
    ("median_milliseconds", [lambda *a: timed(*a, lambda times: times[-1])], "just the last round"),
    ("median_milliseconds", [lambda *a: timed(*a, lambda times: 99.0)], "10, 500, 18, 16, 14 ms. Their median is 16"),
    ("median_milliseconds", [lambda work, rounds, clock: timed(work, 5, clock)], "2 calls fewer than 6"),
    ("median_milliseconds", [lambda work, rounds, clock: timed(work, 1, clock)], "called 2 times"),
    ("median_milliseconds", [without_the_clock], "you never used the clock"),
    ("median_milliseconds", [lambda work, rounds, clock: 1000 * clock()], "`work` is never called"),
    ("costs", [lambda n, t: np.polyfit(n, t, 1)], "the slope first"),
    ("costs", [lambda n, t: (t[0], np.polyfit(n, t, 1)[0])], "*and* of a face"),
    ("costs", [lambda n, t: (0, (n * t).sum() / (n * n).sum())], "goes through 0"),
    ("costs", [lambda n, t: (30, (t / n).mean())], "over the faces"),
    ("costs", [lambda n, t: (30, t[-1] / n[-1])], "largest batch"),
    ("costs", [ends_only], "measured times scatter"),
    ("costs", [lambda n, t: fitted(n, t) / 1000], "0.03 and 0.002 ms"),
    ("front", [lambda t: [min(t, key=lambda name: t[name][0])]], "just the fastest one"),
    ("front", [lambda t: ["large"]], "just the most accurate one"),
    ("front", [lambda t: ["packed"]], "just the one with the smallest file"),
    ("front", [list], "'odd' doesn't belong on the front"),
    ("front", [lambda t: not_beaten(t, strictly=True)], "equal in the rest"),
    ("front", [lambda t: ["tiny", "small", "large", "packed", "dull"]], "just as fast, and right more often"),
    ("front", [lambda t: not_beaten(t, use=(0, 2))], "Look at all three"),
    ("front", [lambda t: not_beaten(t, use=(0, 1))], "'small' is missing"),
    ("front", [lambda t: not_beaten(t, twins=False)], "neither beats the other"),
    ("front", [lambda t: "tiny"], "not the text"),
    ("front", [lambda t: [t[name] for name in not_beaten(t)]], "the names of variants"),
    ("to_int8", [lambda w: whole_numbers(w, axis=None)], "one scale for all channels"),
    ("to_int8", [lambda w: whole_numbers(w, axis=1)], "one scale per row"),
    ("to_int8", [lambda w: whole_numbers(w, largest=128)], "ends at 127"),
    ("to_int8", [lambda w: whole_numbers(w, largest=1)], "1/127 of it"),
    ("to_int8", [lambda w: whole_numbers(w, cut=np.trunc)], "cut off"),
    ("to_int8", [lambda w: whole_numbers(w, cut=np.floor)], "cut off"),
    ("to_int8", [lambda w: whole_numbers(w, cut=lambda values: np.round(values) + 1)], "comes back as"),
    ("to_int8", [lambda w: whole_numbers(w, unsigned=np.asarray)], "*ignoring the sign*"),
    ("to_int8", [lambda w: (whole_numbers(w)[0], 1 / whole_numbers(w)[1])], "the wrong way around"),
    ("to_int8", [lambda w: (whole_numbers(w)[0], np.ptp(w, axis=0) / 255)], "Here, 0 stays 0"),
    ("to_int8", [lambda w: whole_numbers(w, largest=100)], "not 0.01000"),
    ("to_int8", [lambda w: whole_numbers(w, kind=float)], "have the type float64"),
    ("to_int8", [lambda w: whole_numbers(w, zeros=0.0)], "0 / 0 is not a number"),
    ("to_int8", [lambda w: whole_numbers(w)[0]], "return two things"),
    ("to_int8", [lambda w: whole_numbers(w)[::-1]], "They come first"),
    ("to_int8", [lambda w: (whole_numbers(w)[0], whole_numbers(w)[1][0, :2])], "not 2"),
    ("exponent", [lambda x, y: log_slope(x, y, itself, itself)], "the values themselves"),
    ("exponent", [lambda x, y: log_slope(x, y, itself)], "only the times"),
    ("exponent", [lambda x, y: log_slope(x, y, np.log, itself)], "only the sizes"),
    ("exponent", [lambda x, y: log_slope(y, x)], "your axes are swapped"),
    ("exponent", [lambda x, y: log_slope(x, y, which=1)], "where the line starts"),
    ("exponent", [lambda x, y: (np.log(y) / np.log(x)).mean()], "two *differences*"),
    ("exponent", [lambda x, y: 1.5], "not 1.500"),
    ("exponent", [lambda x, y: 2.0], "has a slope of 1, not 2.000"),
    ("exponent", [steepness], "measured times scatter"),
    ("has_camera", [lambda a: None], "doesn't return anything yet"),
    ("has_camera", [lambda a: a], "It should return True or False"),
    ("has_camera", [lambda a: False], "so nobody can read the camera's pictures"),
    ("has_camera", [lambda a: a.startswith("https://")], "so nothing leaves it"),
    ("has_camera", [lambda a: a.startswith(("https://", "http://localhost"))], "another name for `localhost`"),
    ("has_camera", [lambda a: True], "comes from another computer"),
    ("has_camera", [lambda a: "192.168" not in a], "without the s in https"),
    ("has_camera", [lambda a: a.startswith(("https://", "http://localhost", "http://127"))], "only begins with"),
    (
        "has_camera",
        [lambda a: "https:" in a or "/localhost" in a and "org" not in a or "127." in a],
        "of a folder, not",
    ),
    (
        "has_camera",
        [lambda a: "https" in a or a[7:16] in ("localhost", "127.0.0.1") and "org" not in a],
        "before `://`",
    ),
]


@pytest.mark.parametrize(("name", "answers", "words"), MISTAKES, ids=[f"{m[0]}-{n}" for n, m in enumerate(MISTAKES)])
def test_a_typical_mistake_is_named(name, answers, words, capsys):
    sentence = said(capsys, CHECKS[name], *answers)
    assert sentence.startswith("NOT YET: ") and words in sentence


def test_every_check_has_mistakes_that_it_names():
    assert {name for name, *_ in MISTAKES} == CHECKS.keys() - {"own_photos", "giveaway"}, "these two are tested below"


def fails(*arguments):
    return [][1]


def gives_nothing(*arguments):
    """Return an answer."""


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(
    "answer",
    [None, "a word", -1.5, [], object(), np.zeros((2, 3, 4)), print, fails, gives_nothing, lambda *a: "a word", dict],
    ids=lambda answer: (
        type(answer).__name__ + getattr(answer, "__name__", "")
    ),  # no addresses: the same in all processes
)
def test_no_answer_whatever_stops_a_notebook_or_counts_as_right(name, answer, capsys):
    takes = CHECKS[name].__wrapped__.__code__.co_argcount
    CHECKS[name](*[answer] * takes)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("NOT YET: ") and len(last) > 40


def test_what_goes_wrong_in_a_function_is_told_with_its_line(capsys):
    line = fails.__code__.co_firstlineno + 1
    assert f"`fails` stops in line {line} of its cell: IndexError" in said(capsys, lesson_02.flip, fails)
    assert "`gives_nothing` doesn't return anything yet. Return an answer. End with" in said(
        capsys, lesson_02.flip, gives_nothing
    )


def test_other_ways_of_solving_an_exercise_are_right_as_well(capsys):
    others = {
        "printed": [(40, 160, 80, NameError)],
        "train_head": [trained_head],
        "scale": [lambda pixels: (pixels.astype("float32") - 127.5) / 127.5],
        "one_hot": [lambda labels, classes: [[int(label == name) for name in classes] for label in labels]],
        "is_test": [by_person],
        "flip": [np.fliplr],
        "best_epoch": [
            lambda losses, patience: next(
                epoch
                for epoch in range(1, len(losses) + 1)
                if min(losses[epoch - 1 : epoch + patience]) == losses[epoch - 1]
                and losses[epoch - 1] == min(losses[:epoch])
            )
        ],
        "interval": [resampled],
        "occlusion": [covered],
        "face_crop": [lambda *a: cv2.cvtColor(np.ascontiguousarray(cut(*a, rgb=False)), cv2.COLOR_BGR2RGB)],
        "change_in_points": [
            lambda p, m, trained=0.25: sum(abs(a - b) for a, b in zip(p(m), p(trained), strict=True)) / 4 * 100
        ],
        "cross_entropy": [lambda t, p: -(t * np.log(p + 1e-7)).sum() / len(t)],
        "take": [{"street": [20, 20], "clinic": [30, 30]}],
        "leaked": [
            lambda g, t: sum(any(g[i] == g[j] and not t[j] for j in range(len(g))) for i in np.flatnonzero(t)) / t.sum()
        ],
        "worth": [worth_of],
        "by_size": [size_bands],
        "temperature": [2],
        "unsure": [in_a_band],
        "milliseconds_per_frame": [30 / 3],
        "median_milliseconds": [lambda work, rounds, clock: timed(work, rounds, clock, warm_up=3)],
        "costs": [lambda n, t: np.linalg.lstsq(np.stack([np.ones(len(n)), n], axis=1), t, rcond=None)[0]],
        "front": [lambda t: set(not_beaten(t))],
        "to_int8": [whole_numbers],
        "exponent": [lambda x, y: log_slope(x, y, np.log2, np.log2)],
        "has_camera": [lambda a: re.match(r"https://|http://(localhost|127\.0\.0\.1)(:|/|$)", a) is not None],
    }
    for name, answers in others.items():
        assert said(capsys, CHECKS[name], *answers).startswith("RIGHT: "), name


# The learner's own run


@pytest.fixture
def own_run(tmp_path, monkeypatch, sample_folder):
    """An empty run folder in place of the learner's own."""
    monkeypatch.setattr(own, "RUN", str(tmp_path))
    return tmp_path


def with_scores(before, now):
    scores = ({"value": value, "low": value - 0.02, "high": value + 0.02} for value in (before, now))
    head_only, current = ({"accuracy": score, "degraded": {"accuracy": score}} for score in scores)
    return json.dumps({**current, "head_only": head_only})


def test_a_check_says_the_same_of_every_right_answer_with_and_without_a_run(own_run, capsys):
    def answers():
        names = asks(undone, lambda p, classes: np.array(classes)[p.argmax(1)])
        return [
            said(capsys, CHECKS["names_of"], names),
            said(capsys, CHECKS["on_the_street"], street),
            said(capsys, CHECKS["compare"], lessons_rule),
        ]

    def lessons_rule(before, now):
        return "nobody knows" if None in (before["low"], now["low"]) else without_none(before, now)

    without_a_run = answers()
    assert all(sentence.startswith("RIGHT: ") for sentence in without_a_run)
    assert own.own_classifier()[3] == "the released one." and own.own_scores() == {}

    labels = json.loads((RELEASED / "labels.json").read_text())
    (own_run / "labels.json").write_text(json.dumps(labels | {"classes": ["helmet", "bare", "cap"]}))
    shutil.copy(RELEASED / "classifier.tflite", own_run)
    (own_run / "metrics.json").write_text(with_scores(0.8, 0.9))
    assert answers() == without_a_run
    _, labels, photos, whose = own.own_classifier()
    assert labels["classes"] == ["helmet", "bare", "cap"] and photos.shape == (8, 160, 160, 3)
    assert whose == "the one you trained."


def test_an_answer_that_fails_on_ones_own_run_is_told(own_run, capsys):
    def names(classifier, labels, scaled):
        found = asks(undone)(classifier, labels, scaled)
        return found if len(found) < 8 else found[::-1]

    assert "your classifier says ['with_mask', " in said(capsys, CHECKS["names_of"], names)

    def only_few(p, share):
        return street(p, share) if len(p) < 11 else p

    assert "your classifier's [" in said(capsys, CHECKS["on_the_street"], only_few)

    def never_worse_than_half(before, now):
        if None in (before["low"], now["low"]) or now["value"] < 0.5:
            return "nobody knows"
        return without_none(before, now)

    (own_run / "metrics.json").write_text(with_scores(0.9, 0.4))
    assert "in your run, accuracy goes from 0.90 (0.88–0.92) to 0.40 (0.38–0.42)" in said(
        capsys, CHECKS["compare"], never_worse_than_half
    )


@pytest.fixture
def run_of_ones_own(tmp_path, write_photo):
    """A run folder with a classifier (the released one) and a test set of photos in two classes."""
    rows, rng = ["path,label,group,split"], np.random.default_rng(0)
    for label in ("with_mask", "without_mask"):
        for number in range(12):
            write_photo(tmp_path / label / f"{number:02d}.png", rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
            rows.append(f"{label}/{number:02d}.png,{label},person {number},{'test' if number else 'train'}")
    run = tmp_path / "run"
    (run / "01_load_the_data").mkdir(parents=True)
    for name in (CLASSIFIER, LABELS):
        shutil.copy(RELEASED / name, run)
    (run / "01_load_the_data" / "manifest.csv").write_text("\n".join(rows))
    (run / "01_load_the_data" / "dataset.json").write_text(json.dumps({"folder": str(tmp_path)}))
    return run


def test_a_threshold_is_judged_on_the_answers_of_the_run(run_of_ones_own, capsys):
    masked, bare = lesson_05.own_answers(run_of_ones_own)
    assert len(masked) == len(bare) == 11, "the test photos of each class"
    assert said(capsys, lesson_05.best_threshold, lowest_within, run_of_ones_own).startswith("RIGHT: ")

    def right_on_small_arrays_only(m, b, limit):
        return lowest_within(m, b, limit) if len(m) == 5 else 0.0

    sentence = said(capsys, lesson_05.best_threshold, right_on_small_arrays_only, run_of_ones_own)
    assert sentence.startswith("NOT YET: right for the made-up numbers, but not yet for your classifier's answers: ")
    assert "calls 100% of the bare faces masked" in sentence


def test_without_a_run_the_released_classifier_stands_in_and_standard_error_says_so(
    run_of_ones_own, sample_folder, capsys
):
    assert lesson_05.own_run(str(run_of_ones_own)) == run_of_ones_own
    assert capsys.readouterr().err == ""
    assert lesson_05.own_run(str(run_of_ones_own / "nowhere")) == RELEASED
    printed = capsys.readouterr()
    assert printed.out == "" and "has no classifier yet (notebook 04 saves one)" in printed.err
    assert said(capsys, lesson_05.best_threshold, lowest_within, RELEASED).startswith("RIGHT: ")


# The learner's own photos


@pytest.fixture
def helmets(tmp_path, write_photo):
    """A function that makes a data set of so many photos a class, in so many groups, and gives its folder."""

    def make(counts=(40, 40), groups=20, brighter=0):
        rng, rows = np.random.default_rng(0), ["path,group"]
        for label, count, more in zip(("bare", "helmet"), counts, (0, brighter), strict=True):
            for number in range(count):
                pixels = rng.integers(0, 150, (12, 12, 3)).repeat(8, axis=0).repeat(8, axis=1) + more
                write_photo(tmp_path / label / f"{number:02d}.png", pixels.astype(np.uint8))
                rows.append(f"{label}/{number:02d}.png,person {number % groups}")
        (tmp_path / "groups.csv").write_text("\n".join(rows))
        return tmp_path

    return make


def test_photos_of_ones_own_that_will_do(helmets, capsys):
    folder = helmets()
    assert "40 photos of bare and 40 of helmet, in 20 groups (from groups.csv)" in said(
        capsys, lesson_10.own_photos, folder
    )
    (folder / "groups.csv").unlink()
    assert "80 groups (only near copies are grouped" in said(capsys, lesson_10.own_photos, str(folder))
    assert said(capsys, lesson_10.giveaway, np.mean, folder).startswith("RIGHT: this number alone is right on")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (dict(counts=(40, 12)), "helmet has 12 photos"),
        (dict(counts=(120, 35)), "Take more photos of helmet"),
        (dict(groups=6), "form only 6 groups"),
        (dict(counts=(4, 40)), "holds 4 readable photos"),
        (dict(groups=2), "at least five groups"),
    ],
)
def test_photos_of_ones_own_that_will_not_do(helmets, capsys, made, words):
    sentence = said(capsys, lesson_10.own_photos, helmets(**made))
    assert sentence.startswith("NOT YET: ") and words in sentence


def test_a_folder_that_is_not_there_is_told(capsys):
    assert "is not a folder" in said(capsys, lesson_10.own_photos, "nowhere/photos")


def test_a_giveaway_is_found(helmets, capsys):
    folder = helmets(brighter=60)
    assert "right on 100%" in said(capsys, lesson_10.giveaway, np.mean, folder)
    assert "isn't measuring anything" in said(capsys, lesson_10.giveaway, lambda photo: 1, folder)


def test_the_damaged_sentence_and_its_checksum_belong_together():
    repaired = lesson_00.DAMAGED.replace("rose", "nose")
    assert hashlib.sha256(repaired.encode()).hexdigest() == lesson_00.CHECKSUM
    assert lesson_00.DAMAGED in (ROOT / "notebooks/exercises/00_check_your_setup.ipynb").read_text("utf-8")


def test_arrays_are_the_same_but_for_rounding_and_only_if_their_shapes_agree():
    assert grading.same(np.float32(0.1), 0.1) and grading.same([0.1, 0.2], np.array([0.1, 0.2], "float32"))
    assert not grading.same([1, 1], 1) and not grading.same([np.nan], [np.nan]) and not grading.same(0.1, 0.11)
