"""The released classifier: intact, small, as good as its model card says, and used where nothing has been trained."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from maskdet_utils import pipeline, street_views
from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED, ClassifierError, load_classifier, read_config
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate.calibration import fit_temperature, with_temperature
from maskdet_utils.evaluation import classify_photos, score_text
from tools import release


def test_it_is_small_and_intact_and_its_config_describes_it():
    content = (RELEASED / CLASSIFIER).read_bytes()
    config = json.loads((RELEASED / LABELS).read_text())
    assert len(content) <= 3_000_000
    assert config["sha256"] == hashlib.sha256(content).hexdigest()
    assert config["classes"] == ["with_mask", "without_mask", "worn_incorrectly"]
    assert 0 < config["unsure"][0] < 0.5 < config["unsure"][1] < 1


def test_a_file_that_is_not_the_released_one_is_refused(tmp_path):
    shutil.copytree(RELEASED, tmp_path / "released")
    content = bytearray((tmp_path / "released" / CLASSIFIER).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "released" / CLASSIFIER).write_bytes(content)
    with pytest.raises(ClassifierError, match="not the file that labels.json"):
        MaskDetector.load(tmp_path / "released")


def test_it_knows_the_masks_of_the_sample(sample_folder):
    classifier, config = load_classifier(RELEASED)
    for number, name in enumerate(config["classes"][:2]):
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


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_tables_compare_it_with_the_version_before(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    states = json.loads((ROOT / release.three_states.RESULTS).read_text())
    assert states["v2"]["files"] == 3 and states["v2"]["faces"] == states["v1"]["faces"]
    for version in ("v1", "v2"):
        scores = states[version]["scores"]
        for name in ("mask or not, 24", "mask or not, 48"):
            assert score_text(scores[name]) in text, (version, name)
        for name in ("worn incorrectly, called mask", "turned, sure"):
            value, low, high = (f"{scores[name][end]:.0%}" for end in ("value", "low", "high"))
            assert f"{value} ({low}–{high})" in text, (version, name)
    assert score_text(json.loads((RELEASED / "figures.json").read_text())["test"]["accuracy"]) in text


def test_without_street_faces_nothing_is_released(tmp_path):
    before = (RELEASED / CLASSIFIER).read_bytes()
    (tmp_path / "seed-0.keras").touch()
    with pytest.raises(RuntimeError, match="street is missing"):
        release.release([tmp_path / "seed-0.keras"], tmp_path / "street")
    with pytest.raises(RuntimeError, match="seed-1.keras is missing"):
        release.release([tmp_path / "seed-0.keras", tmp_path / "seed-1.keras"], tmp_path)
    assert (RELEASED / CLASSIFIER).read_bytes() == before


def test_it_is_trained_with_the_parameters_of_the_street_profile(tmp_path, monkeypatch):
    """They reach the function that does what notebook 07 does, and each is one of the notebook's parameters."""
    import keras

    given = {}

    def train(photos, classes, folder, **options):
        given.update(options, photos=photos, classes=classes)
        return keras.Sequential([keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D()])

    monkeypatch.setattr(release.recipe, "train", train)
    monkeypatch.setattr(release, "training_photos", lambda seed: f"photos of seed {seed}")
    release.train(5, tmp_path / "runs" / "seed-5.keras")
    assert (tmp_path / "runs" / "seed-5.keras").is_file()
    assert read_config(tmp_path / "runs")["classes"] == street_views.CLASSES
    profile = pipeline.read_parameters("street")
    of_notebook = pipeline.parameters_of(ROOT / "notebooks" / "07_make_it_better.ipynb")
    assert given.pop("photos") == "photos of seed 5" and given.pop("classes") == street_views.CLASSES
    assert given.pop("seed") == 5 and given.pop("teachers") == ()
    assert given == {name: profile[name] for name in given} and given.keys() <= of_notebook.keys()
    assert profile["classes"] == 3 and profile["add_street"] and profile["dataset"] == "public"
    left = {name for name in profile if name in of_notebook} - given.keys()
    assert left == {"seed", "classes", "add_sample"}


def test_it_learns_from_three_teachers_and_what_is_trained_already_stays(tmp_path, monkeypatch, capsys):
    def train(seed, file, teachers):
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{seed} {teachers}")

    monkeypatch.setattr(release, "train", train)
    teachers = release.train_all(tmp_path / "teachers")
    assert [file.read_text() for file in teachers] == ["0 ()", "1 ()", "2 ()"]
    (tmp_path / "seed-1.keras").write_text("trained")
    students = release.train_all(tmp_path, ["A", "B"])
    assert [file.read_text() for file in students] == ["0 ['A', 'B']", "trained", "2 ['A', 'B']"]
    assert "seed-1.keras is already there. Delete it to train it again." in capsys.readouterr().out


def test_its_correction_is_in_the_last_layer():
    from maskdet_utils import model

    classifier = model.build_classifier(model.build_base(32), model.build_head(3))
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 255, (60, 32, 32, 3)).astype(np.float32)
    before = classifier.predict_on_batch(pixels)
    truth = rng.choice(3, 60, p=[0.6, 0.3, 0.1])  # any other class frequencies than the network's own
    temperature, shifts = release.correct(classifier, truth, before)
    assert shifts[0] == 0 and np.abs(shifts[1:]).min() > 0.05
    after = classifier.predict_on_batch(pixels)
    assert np.allclose(after, with_temperature(before, temperature, shifts), atol=1e-4)
    two = truth < 2
    assert fit_temperature(truth[two], after[two]) == pytest.approx(1, abs=0.02), "nothing is left to correct"


def test_its_8_bit_ranges_are_measured_on_photos_degraded_as_in_training(tmp_path, write_photo):
    files = [str(write_photo(tmp_path / f"{number}.png")) for number in range(6)]
    views = release.some_views(files, 32, count=4)
    assert views.shape == (4, 32, 32, 3) and views.dtype == np.float32 and 0 <= views.min() < views.max() <= 255
    assert np.array_equal(views, release.some_views(files, 32, count=4)), "the same in every release"
    assert len(np.unique(views.reshape(4, -1), axis=0)) == 4


def test_on_street_photos_it_is_as_good_as_its_card_says(shared, tmp_path):
    """On the collection of which no face was used for training (b_…). Its photos also decided the last correction."""
    crops = shared / "datasets" / "wild-dev"
    table = pd.read_csv(crops / "crops.csv")
    table["file"], table["group"] = str(crops) + "/" + table["path"], table["source_photo"]
    chosen = table[table["path"].str.contains("/b_")]
    assert len(chosen) > 1400
    found = release.judge_part(chosen)
    released = json.loads((RELEASED / "figures.json").read_text())["wild"]
    for smallest in ("24", "48"):
        score, before = found["by_size"][smallest], released["by_size"][smallest]
        print(f"\nfaces of at least {smallest} pixels: {score['balanced_accuracy']['value']:.4f}")
        assert score["balanced_accuracy"]["value"] == pytest.approx(before["balanced_accuracy"]["value"], abs=0.003)
        assert score["balanced_accuracy"]["value"] > 0.98
        error, stored = (one["expected_calibration_error"]["value"] for one in (score, before))
        assert error == pytest.approx(stored, abs=0.003) and error < 0.03
    macro_f1 = found["three_states"]["macro_f1"]["value"]
    assert macro_f1 == pytest.approx(released["three_states"]["macro_f1"]["value"], abs=0.01)
