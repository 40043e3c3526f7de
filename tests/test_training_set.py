"""The training of notebook 07 as one function: what is asked of each picture, with two classes and with three."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import recipe
from maskdet_utils import datasets, public, training_set

CLASSES = [*datasets.MASK_CLASSES, datasets.WORN_WRONG]


@pytest.fixture
def photos():
    return pd.DataFrame({"file": ["m1", "m2", "b1"], "label": ["with_mask", "with_mask", "without_mask"]})


@pytest.fixture
def drawn():
    rows = [("d1", "right"), ("d2", "under_nose"), ("d3", "chin"), ("d4", "hand"), ("d5", "nothing")]
    table = pd.DataFrame(rows, columns=["file", "drawn"])
    return table.assign(drawn_on="b1", label="without_mask")


def asked(photos, drawn, classes):
    files, targets = training_set.pictures(photos, drawn, classes, n_drawn=1)
    assert targets.dtype == np.float32 and np.allclose(targets.sum(axis=1), 1)
    return files, {file: target.tolist() for file, target in zip(files, targets, strict=True)}


def test_two_classes(photos, drawn):
    files, targets = asked(photos, drawn, CLASSES[:2])
    assert sorted(files) == ["b1", "b1", "d1", "d2", "d3", "d4", "d5", "d5", "m1", "m2"], "bare ones twice"
    assert targets["m1"] == targets["d1"] == [1, 0]
    assert targets["b1"] == targets["d5"] == targets["d3"] == targets["d4"] == [0, 1]
    assert targets["d2"] == [training_set.UNDER_NOSE, 1 - training_set.UNDER_NOSE]


def test_with_three_classes_masks_worn_wrong_are_the_third_and_hands_are_not(photos, drawn):
    _, targets = asked(photos, drawn, CLASSES)
    assert targets["m1"] == targets["d1"] == [1, 0, 0]
    assert targets["b1"] == targets["d4"] == targets["d5"] == [0, 1, 0]
    assert targets["d2"] == targets["d3"] == [0, 0, 1]


def test_real_masks_worn_wrong_are_the_third_class_too_and_listed_as_often_as_drawn_ones_need(photos, drawn):
    real = pd.DataFrame({"file": ["w1", "w2"], "label": datasets.WORN_WRONG})
    many = pd.concat([drawn, *[drawn.query("drawn == 'chin'")] * 39])
    files, targets = asked(pd.concat([photos, real]), many, CLASSES)
    assert targets["w1"] == targets["w2"] == [0, 0, 1]
    assert files.count("w1") == files.count("w2") == 3, "a sixth of 41"


def test_the_audit_knows_which_photos_show_a_mask_worn_wrong():
    table = public.read_table().query("exclude == ''")
    told = training_set.tell_worn_wrong(table)
    counts = told.groupby("split")["label"].value_counts()
    assert [counts[part, datasets.WORN_WRONG] for part in ("train", "validation", "test")] == [42, 12, 10]
    kept = told["label"] != datasets.WORN_WRONG
    assert (told["label"] == table["label"])[kept].all() and kept.sum() == len(table) - 64


def test_another_pair_of_classes_gets_no_masks_drawn(photos, tmp_path):
    others = photos.assign(label=photos["label"].replace({"with_mask": "cat", "without_mask": "dog"}))
    assert training_set.draw_pictures(others, ["cat", "dog"], tmp_path, n_drawn=2, seed=0).empty


def test_three_classes_are_trained_from_photos_to_a_classifier(sample_folder, tmp_path):
    """On eight people, one view, small inputs: that it runs and knows its training photos, not that it is good."""
    rows = [
        {"file": str(file), "label": label, "split": "validation" if number % 4 == 0 else "train"}
        for label in datasets.MASK_CLASSES
        for number, file in enumerate(sorted((sample_folder / label).glob("*.jpg"))[:80:5])
    ]
    photos = pd.DataFrame(rows)
    classifier = recipe.train(photos, CLASSES, tmp_path, image_size=64, n_views=2, epochs=12, fine_tune_epochs=10)
    assert classifier.output_shape == (None, 3)
    worn_wrong = [path for path in tmp_path.rglob("*_chin.jpg")] + [path for path in tmp_path.rglob("*_one_ear.jpg")]
    assert worn_wrong, "masks worn wrong were drawn"
    from maskdet_utils.evaluation import classify_photos

    said = classify_photos(classifier, [str(path) for path in worn_wrong], 64)
    assert np.allclose(said.sum(axis=1), 1, atol=1e-5)
    masked = classify_photos(classifier, photos.query("label == 'with_mask'")["file"].tolist(), 64)
    assert said[:, 2].mean() > masked[:, 2].mean(), "the third class is likelier where a mask is worn wrong"
