"""Training the head on features that were computed once."""

import json
import subprocess
import sys
from unittest import mock

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from benchmarks import recipe
from benchmarks.recipe import fine_tune
from maskdet_utils import augment, datasets, evaluation, fine_tuning, model, training
from maskdet_utils.checks import same_arrays
from maskdet_utils.model import keras

SIZE = 32


@pytest.fixture(scope="module")
def base():
    return model.build_base(SIZE)


@pytest.fixture
def photos(class_folders):
    paths = sorted(class_folders.rglob("*.png"))[8:16]
    return paths, np.eye(2, dtype=np.float32)[[0] * 4 + [1] * 4]


def test_features_are_the_bases_pooled_output(base, photos):
    paths, targets = photos
    features, found = training.features_of_views(base, paths, targets, n_views=0, seed=0)
    assert features.shape == (8, model.FEATURES) and np.array_equal(found, targets)
    pixels = next(iter(datasets.stream(paths, targets, SIZE)))[0].numpy()
    expected = base.predict(pixels / 127.5 - 1, verbose=0).mean(axis=(1, 2))
    assert np.allclose(features, expected, atol=0.02), "the maps in between are kept in half precision"
    assert np.abs(expected).max() > 0.5


def test_every_view_is_another_one_and_the_seed_repeats_them(base, photos):
    paths, targets = photos

    def views(seed):
        return training.features_of_views(
            base, paths, targets, 3, seed, change=augment.degrade, move=augment.random_affine
        )

    features, found = views(seed=1)
    assert features.shape == (24, model.FEATURES) and np.array_equal(found, np.tile(targets, (3, 1)))
    first, second, third = features.reshape(3, 8, -1)
    assert not np.isclose(first, second).all(axis=1).any() and not np.isclose(second, third).all(axis=1).any()
    assert np.array_equal(views(seed=1)[0], features)
    assert not np.allclose(views(seed=2)[0], features)


@pytest.fixture
def separable():
    """Features that differ between the classes in 20 of their numbers: (training, validation)."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 200)
    features = rng.normal(scale=0.3, size=(200, model.FEATURES)).astype(np.float32)
    features[:, :20] += classes[:, None]
    targets = np.eye(2, dtype=np.float32)[classes]
    return (features[:150], targets[:150]), (features[150:], targets[150:])


def trained_head(train, validation, seed=0, **options):
    keras.utils.set_random_seed(seed)
    head = model.build_head()
    head.build((None, 1, 1, model.FEATURES))
    return head, training.train_head(head, train, validation, **options)


def validation_loss(head, validation):
    after_pooling = keras.Sequential([keras.Input((model.FEATURES,)), *head.layers[1:]])
    after_pooling.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    return after_pooling.evaluate(*validation, verbose=0)


def test_it_learns_what_can_be_learned(separable):
    head, history = trained_head(*separable, epochs=15, learning_rate=1e-3)
    loss, accuracy = validation_loss(head, separable[1])
    assert accuracy > 0.9
    assert history.history["val_loss"][0] > loss


def test_it_stops_early_and_goes_back_to_the_best_epoch(separable):
    (features, _), validation = separable
    nonsense = np.eye(2, dtype=np.float32)[np.random.default_rng(1).integers(0, 2, len(features))]
    head, history = trained_head((features, nonsense), validation, epochs=40, patience=3)
    losses = history.history["val_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3 < 40, "three epochs of patience"
    assert losses[-1] > losses[best]
    assert validation_loss(head, validation)[0] == pytest.approx(losses[best], abs=1e-5)


def test_the_same_seed_gives_the_same_weights(separable):
    heads = [trained_head(*separable, seed=seed, epochs=3)[0].get_weights() for seed in (1, 1, 2)]
    assert same_arrays(heads[0], heads[1])
    assert not same_arrays(heads[0], heads[2])


def test_every_epoch_prints_one_line(separable, capsys):
    trained_head(*separable, epochs=2, callbacks=[training.EpochPrinter()])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch  2:  accuracy 0.") and "val_loss " in lines[1]


def test_fine_tuning_moves_the_upper_part_and_the_head_and_nothing_else(base, tmp_path, write_photo):
    colors = [(30 * step, 20, 20) for step in range(4, 8)] + [(20, 20, 30 * step) for step in range(4, 8)]
    paths = [
        write_photo(tmp_path / f"{number}.png", np.full((SIZE, SIZE, 3), color, np.uint8))
        for number, color in enumerate(colors)
    ]
    targets = np.eye(2, dtype=np.float32)[[0] * 4 + [1] * 4]
    keras.utils.set_random_seed(3)
    tuned = model.build_base(SIZE)
    lower, upper = fine_tuning.split_base(tuned)
    head = model.build_head()
    classifier = model.build_classifier(tuned, head)
    pixels = next(iter(datasets.stream(paths, targets, SIZE)))[0].numpy()
    before = classifier.predict(pixels, verbose=0)
    maps, found = fine_tuning.feature_maps_of_views(lower, paths, targets, 0, seed=0)
    assert maps.dtype == np.float16 and maps.shape == (8, *lower.output_shape[1:])
    fine_tune(upper, head, maps, found, epochs=30, learning_rate=1e-4)
    after = classifier.predict(pixels, verbose=0)
    assert (after.argmax(axis=1) == targets.argmax(axis=1)).all()
    assert not np.allclose(before, after, atol=0.05), "the classifier shares the layers that were trained"
    original = dict(zip([w.path for w in base.weights], base.get_weights(), strict=True))
    moved = {w.path for w in tuned.weights if not np.array_equal(w.numpy(), original[w.path])}
    below = {w.path for w in lower.weights}
    assert moved and not moved & below
    assert not any("BN" in path or "_bn" in path for path in moved), "batch normalization stays as it was"


def test_the_two_parts_of_the_base_make_the_base(base):
    lower, upper = fine_tuning.split_base(base)
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    assert np.allclose(upper(lower(pixels)), base(pixels, training=False), atol=1e-5)
    assert lower.output_shape[1:] == (SIZE // 16, SIZE // 16, 96)


def test_even_odds_take_the_shares_of_the_training_pictures_out_again():
    head = model.build_head()
    head.build((None, 1, 1, model.FEATURES))
    features = np.random.default_rng(0).normal(size=(20, 1, 1, model.FEATURES)).astype(np.float32)
    before = head.predict(features, verbose=0)
    targets = np.array([[1, 0]] * 2 + [[0, 1]] * 6, np.float32)  # one in four
    assert fine_tuning.correct_prior(head, targets) == pytest.approx(np.log(3))
    after = head.predict(features, verbose=0)
    assert np.allclose(after[:, 0] / after[:, 1], 3 * before[:, 0] / before[:, 1], rtol=1e-3)


def test_even_odds_of_three_classes():
    """A head that has learned nothing but the frequencies of the training pictures answers with the prior."""
    head = model.build_head(3)
    head.build((None, 1, 1, model.FEATURES))
    kernel, bias = head.layers[-1].get_weights()
    shares = np.array([0.2, 0.3, 0.5], np.float32)
    head.layers[-1].set_weights([0 * kernel, np.log(shares)])
    targets = np.repeat(np.eye(3, dtype=np.float32), [2, 3, 5], axis=0)
    assert fine_tuning.correct_prior(head, targets) == pytest.approx(np.log(4))
    after = head.predict(np.zeros((1, 1, 1, model.FEATURES), np.float32), verbose=0)
    assert np.allclose(after, [1 / 2, 3 / 8, 1 / 8], atol=1e-4)


def test_teachers_answer_as_if_their_prior_had_not_been_corrected():
    targets, cut = np.repeat(np.eye(3, dtype=np.float32), [6, 1, 3], axis=0), "block_9_add"
    pixels = np.random.default_rng(0).uniform(0, 255, (10, SIZE, SIZE, 3)).astype(np.float32)
    teachers, before = [], []
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        base, head = model.build_base(SIZE), model.build_head(3)
        teachers.append(model.build_classifier(base, head))
        before.append(teachers[-1].predict(pixels, verbose=0))
        fine_tuning.correct_prior(head, targets)
    maps = fine_tuning.split_base(model.build_base(SIZE), cut)[0].predict(pixels / 127.5 - 1, verbose=0)
    answers = recipe.mean_answer(teachers, cut, maps, targets)
    assert answers.dtype == np.float32 and np.allclose(answers, np.mean(before, axis=0), atol=1e-4)
    assert not np.allclose(answers, np.mean([one.predict(pixels, verbose=0) for one in teachers], axis=0), atol=0.02)


def test_with_teachers_half_of_each_target_is_their_answer(tmp_path, write_photo, monkeypatch):
    rows, seen = [], {}
    for number in range(12):
        file = write_photo(tmp_path / f"{number}.png", np.full((SIZE, SIZE, 3), 20 * number, np.uint8))
        rows.append((str(file), "ab"[number % 2], "train" if number < 8 else "validation"))
    photos = pd.DataFrame(rows, columns=["file", "label", "split"])
    monkeypatch.setattr(recipe, "mean_answer", lambda teachers, cut, maps, targets: np.full(targets.shape, 0.5))
    monkeypatch.setattr(recipe.fine_tuning, "correct_prior", lambda head, targets: seen.update(targets=targets))
    options = {"image_size": 32, "n_drawn": 0, "n_views": 1, "epochs": 1, "fine_tune_epochs": 1}
    recipe.train(photos, ["a", "b"], tmp_path, teachers=["a teacher"], **options)
    assert sorted(map(tuple, seen["targets"].tolist())) == [(0.25, 0.75)] * 4 + [(0.75, 0.25)] * 4


TWO_DEVICES = """
import contextlib, functools, sys
import numpy as np, pandas as pd, tensorflow as tf

folder, devices = sys.argv[1], int(sys.argv[2])
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
from benchmarks import recipe
from maskdet_utils import model

# Each device draws dropout of its own, so without it: the rest must be the same.
model.build_head = functools.partial(model.build_head, dropout=0.0)
photos = pd.read_csv(folder + "/photos.csv")
strategy = tf.distribute.MirroredStrategy([f"CPU:{n}" for n in range(devices)]) if devices > 1 else None
with strategy.scope() if strategy else contextlib.nullcontext():
    classifier = recipe.train(photos, ["a", "b"], folder, image_size=32, n_drawn=0, n_views=2, epochs=3, fine_tune_epochs=2)
    assert strategy is None or len(classifier.weights[0].value.values) == devices, "the weights live on both"
np.savez(f"{folder}/{devices}.npz", *classifier.get_weights())
"""


def test_the_same_training_runs_on_two_devices_with_the_same_result(tmp_path, write_photo):
    rng, rows = np.random.default_rng(0), []
    for number in range(40):
        color = (30, 30, 200) if number % 2 else (200, 30, 30)
        photo = (np.array(color) + rng.integers(0, 50, (SIZE, SIZE, 3))).astype(np.uint8)
        file = write_photo(tmp_path / f"{number}.png", photo)
        rows.append((str(file), "ab"[number % 2], "train" if number < 28 else "validation"))
    pd.DataFrame(rows, columns=["file", "label", "split"]).to_csv(tmp_path / "photos.csv")
    for devices in "12":
        subprocess.run([sys.executable, "-c", TWO_DEVICES, str(tmp_path), devices], check=True)
    one, two = (np.load(tmp_path / f"{devices}.npz") for devices in "12")
    assert all(np.allclose(one[name], two[name], atol=1e-4) for name in one.files)
    untrained = model.build_base(SIZE).get_weights()
    assert not all(np.array_equal(a, one[name]) for a, name in zip(untrained, one.files, strict=False))


@pytest.mark.parametrize(("takes_over", "n_classes"), [(True, 3), (False, 2)])
def test_the_labels_are_those_of_the_classifier_that_notebook_07_keeps(tmp_path, takes_over, n_classes):
    """If a classifier of three classes isn't better than notebook 04's, which has two, the run keeps notebook 04's."""
    cells = nbformat.read(ROOT / "notebooks" / "07_make_it_better.ipynb", as_version=4).cells
    [saving] = [cell.source for cell in cells if "labels |= " in cell.source]
    (tmp_path / "labels.json").write_text(json.dumps({"classes": ["a", "b"]}))
    runs = mock.Mock(open_run=lambda _: tmp_path, write_text=lambda file, text: file.write_text(text))
    known = {
        "runs": runs,
        "run_dir": tmp_path,
        "takes_over": takes_over,
        "test": {"file": []},
        "about": {"classes": ["a", "b"]},
    }
    known |= {"names": ["a", "b", "worn_incorrectly"], "truth": np.array([0, 1, 1]), "judge_truth": np.array([0, 1, 1])}
    known |= {"answers": [np.eye(2)[[0, 1, 1]]] * 2, "now": {}, "head_only": {}, "before": "before", "np": np}
    known |= {"classifier": mock.Mock(), "export": mock.Mock(), "json": json, "evaluation": evaluation}
    known["unsure_band"] = lambda is_first, first: [0.4, 0.6]
    known["answer"] = lambda network, files: np.eye(2)[[0, 1, 1]]  # a mask, or not
    exec(saving, known)
    assert len(json.loads((tmp_path / "labels.json").read_text())["classes"]) == n_classes
    assert len(runs.update_metrics.call_args.kwargs["classes"]) == n_classes
