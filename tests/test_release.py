"""The released classifier: intact, small, as good as its model card says, and used where nothing has been trained."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from conftest import ROOT

from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED, ClassifierError, load_classifier
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate.folder import evaluate_folder
from maskdet_utils.evaluation import classify_photos
from tools import release


def test_it_is_small_and_intact_and_its_config_describes_it():
    content = (RELEASED / CLASSIFIER).read_bytes()
    config = json.loads((RELEASED / LABELS).read_text())
    assert len(content) <= 3_000_000
    assert config["sha256"] == hashlib.sha256(content).hexdigest()
    assert config["classes"] == ["with_mask", "without_mask"]
    assert config["unsure"] == release.UNSURE


def test_a_file_that_is_not_the_released_one_is_refused(tmp_path):
    shutil.copytree(RELEASED, tmp_path / "released")
    content = bytearray((tmp_path / "released" / CLASSIFIER).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "released" / CLASSIFIER).write_bytes(content)
    with pytest.raises(ClassifierError, match="not the file that labels.json"):
        MaskDetector.load(tmp_path / "released")


def test_it_knows_the_masks_of_the_sample(sample_folder):
    classifier, config = load_classifier(RELEASED)
    for number, name in enumerate(config["classes"]):
        paths = sorted((sample_folder / name).glob("*.jpg"))[::8]
        probabilities = classify_photos(classifier, paths, config["input_size"])
        assert len(paths) == 50 and (probabilities.argmax(axis=1) == number).mean() >= 0.96


def test_the_card_holds_the_measured_scores():
    scores = json.loads((RELEASED / "figures.json").read_text())
    card = (ROOT / release.CARD).read_text(encoding="utf-8")
    assert release.as_table(scores) in card
    assert scores["test"]["accuracy"]["value"] > 0.97 and sum(scores["test"]["faces"].values()) > 600
    for topic in ("What it must not be used for", "What it gets wrong", "How it was made"):
        assert topic in card


def test_a_run_on_the_sample_is_not_released(quick_run):
    before = (RELEASED / CLASSIFIER).read_bytes()
    with pytest.raises(RuntimeError, match="is a run on sample"):
        release.release(quick_run)
    assert (RELEASED / CLASSIFIER).read_bytes() == before


def test_calibration_divides_the_log_odds_in_the_last_layer(tmp_path, write_photo):
    import pandas as pd

    from maskdet_utils import model

    classifier = model.build_classifier(model.build_base(32), model.build_head())
    files = [str(write_photo(tmp_path / f"{number}.png")) for number in range(40)]
    before = classify_photos(classifier, files, 32)
    rng = np.random.default_rng(0)
    names = np.array(["with_mask", "without_mask"])
    photos = pd.DataFrame({"file": files, "label": names[rng.integers(0, 2, 40)]})  # a coin toss
    config = {"classes": names.tolist(), "input_size": 32}
    temperature = release.calibrate(classifier, photos, config)
    assert temperature >= 1
    after = classify_photos(classifier, files, 32)
    log_odds = [np.log(p[:, 0] / p[:, 1]) for p in (before, after)]
    assert np.allclose(log_odds[0] / temperature, log_odds[1], atol=1e-2)


def test_its_8_bit_ranges_are_measured_on_photos_degraded_as_in_training(tmp_path, write_photo):
    files = [str(write_photo(tmp_path / f"{number}.png")) for number in range(6)]
    views = release.some_views(files, 32, count=4)
    assert views.shape == (4, 32, 32, 3) and views.dtype == np.float32 and 0 <= views.min() < views.max() <= 255
    assert np.array_equal(views, release.some_views(files, 32, count=4)), "the same in every release"
    assert len(np.unique(views.reshape(4, -1), axis=0)) == 4


def test_on_street_photos_it_is_as_good_as_its_card_says(shared):
    folder = shared / "datasets" / "wild-dev"
    released = json.loads((RELEASED / "figures.json").read_text())["wild"]["by_size"]
    found = evaluate_folder(RELEASED, folder / "crops", groups=folder / "crops.csv")["by_size"]
    for smallest in ("24", "48"):
        score = found[smallest]["balanced_accuracy"]
        print(
            f"\nfaces of at least {smallest} pixels: {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f})"
        )
        assert score["value"] == pytest.approx(released[smallest]["balanced_accuracy"]["value"], abs=0.003)
        assert found[smallest]["expected_calibration_error"]["value"] <= 0.05
    assert found["24"]["balanced_accuracy"]["value"] > 0.95
