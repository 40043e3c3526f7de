"""The functions behind the benchmarks' scores, without training anything."""

import importlib.util
import json

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from maskdet_utils.evaluate.calibration import (
    expected_calibration_error,
    fit_shifts,
    fit_temperature,
    with_temperature,
)
from maskdet_utils.evaluation import score_text

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def load():
    """A function that imports a script of benchmarks/ by its name."""

    def load(name):
        spec = importlib.util.spec_from_file_location(f"bench_{name}", ROOT / "benchmarks" / f"{name}.py")
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        return script

    return load


@pytest.fixture
def ablation(load, photo, points, monkeypatch):
    script = load("ablation")
    monkeypatch.setattr(script, "bare_faces", lambda: [(photo, points)] * 4)
    return script


def test_each_variant_has_as_many_pictures_and_at_most_half_of_them_masked(ablation, tmp_path):
    for variant in range(1, len(ablation.ARMS) + 1):
        files, targets = ablation.draw_all(variant, 0, tmp_path, 4)
        assert len(files) == len(targets) == 16
        np.testing.assert_allclose(targets.sum(axis=1), 1)
        assert (targets[:, 0] == 1).sum() == (8 if variant < ablation.WRONG else 6)


def test_the_first_variant_paints_one_flat_blue_on_gray_photos(ablation, photo, points, tmp_path):
    files, targets = ablation.draw_all(1, 0, tmp_path, 1)
    pictures = [cv2.imread(file)[..., ::-1].astype(int) for file in files]
    for picture, target in zip(pictures, targets[:, 0], strict=True):
        changed = np.abs(picture - photo.astype(int)).max(axis=2) > 40
        assert changed.any() == (target == 1)
        if target:
            np.testing.assert_allclose(np.median(picture[changed], axis=0), ablation.BLUE.color, atol=30)
    colored, _ = ablation.draw("bare", photo, points, ablation.COLOR, np.random.default_rng(0))
    assert np.ptp(colored, axis=2).max() > 0 == np.ptp(photo, axis=2).max()


def test_patches_of_a_variant_end_with_it(ablation, tmp_path):
    before = {name: getattr(ablation.masks, name) for name in ablation.FLAT}
    ablation.draw_all(1, 0, tmp_path, 1)
    assert {name: getattr(ablation.masks, name) for name in ablation.FLAT} == before


def test_remembering_helps_with_random_folds_only(load):
    leak = load("leak")
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 6)
    table = pd.DataFrame({"path": [str(number) for number in range(360)], "group": groups})
    features = np.eye(60)[groups] + rng.normal(0, 0.05, (360, 60))  # the features show only which group it is
    coin = rng.permutation(np.arange(60) % 2)[groups]
    found = leak.both_ways(table, features, lambda seed: coin, leak.JUDGES["nearest neighbor"], seeds=2)
    assert found["random"]["value"] > 0.95
    assert found["by group"]["value"] < 0.7
    assert found["difference"]["low"] > 0.2
    folds = leak.folds_of(table, coin, "by group", 0)
    assert (pd.Series(folds).groupby(groups).nunique() == 1).all()


def test_ratios_compare_ours_with_the_recipe(load):
    training = load("training")

    def row(seconds, memory, value):
        accuracy = {"value": value, "low": value, "high": value}
        return {"seconds": seconds, "peak_memory_mb": memory, "accuracy": accuracy}

    results = {"recipe": row(400, 6000, 0.985), "frozen": row(20, 1500, 0.98), "ours": row(100, 3000, 0.995)}
    results["ratios"] = training.ratios(results)
    assert results["ratios"] == {
        "frozen": {"time": 0.05, "peak memory": 0.25},
        "ours": {"time": 0.25, "peak memory": 0.5},
    }
    lines = training.summary(results).splitlines()
    assert lines[0] == "recipe     400 s, 6000 MB, accuracy 0.9850 (0.9850–0.9850)"
    assert lines[1].endswith("; 1/20.0 of the time, 1/4.0 of the memory")


def test_results_hold_no_names():
    """No path on one machine and no name of a photo."""
    for path in RESULTS.glob("*"):
        text = path.read_text(encoding="utf-8")
        assert not any(word in text.lower() for word in (".jpg", ".png", "/work", "/home", "/tmp")), path.name
        if path.suffix == ".json":
            json.loads(text)
    answers = pd.read_csv(RESULTS / "probabilities.csv")
    assert list(answers) == ["truth", "group", "probability", "face_size"]
    assert answers["probability"].between(0, 1).all()


def test_what_notebook_08_says_about_its_temperature_is_in_the_results():
    """It is above 1, makes the error on the other half larger, and a third of the masks worn incorrectly are missed."""
    answers = pd.read_csv(RESULTS / "probabilities.csv")
    two = answers[answers["truth"] != "worn_incorrectly"]
    truth = (two["truth"] == "without_mask").to_numpy().astype(int)
    probabilities = np.stack([two["probability"], 1 - two["probability"]], axis=1)
    fitting = (np.random.default_rng(0).permutation(answers["group"].max() + 1) % 2)[two["group"]] == 0
    temperature = fit_temperature(truth[fitting], probabilities[fitting])
    assert temperature > 1.1
    as_it_is, cooled = (
        expected_calibration_error(truth[~fitting], values[~fitting])
        for values in (probabilities, with_temperature(probabilities, temperature))
    )
    assert cooled > as_it_is + 0.003
    states = json.loads((ROOT / "maskdet_utils" / "released" / "figures.json").read_text())["wild"]["three_states"]
    assert 0.31 < 1 - states["recall"]["worn_incorrectly"]["value"] < 0.36


def test_the_tables_in_the_readme_come_from_the_results(load):
    report = load("report")
    loops = []
    for name in ("yunet", "centerface"):
        for count in (1, 4):
            for way, faster in (("every frame", 15.04), ("as shipped", 20), ("every third", 30), ("bare networks", 17)):
                row = {"loop": f"{name}, {way}", "faces": count, "times_faster": faster}
                loops.append(row | ({"overhead": 0.13} if way == "every frame" else {}))
    lines = report.live_table({"loops": loops}).splitlines()
    assert "YuNet, 1 face | YuNet, 4 faces | CenterFace, 1 face" in lines[0]
    assert lines[2].endswith("| 15.0 × | 15.0 × | 15.0 × | 15.0 × |") and lines[5].count("+13%") == 4
    accuracy = {"value": 0.99, "low": 0.98, "high": 1.0}
    training = {
        "recipe": {"seconds": 740, "peak_memory_mb": 5600, "accuracy": accuracy},
        "ours": {"seconds": 370, "peak_memory_mb": 11200, "accuracy": accuracy},
    }
    lines = report.training_table(training).splitlines()
    assert "| 1 | 1 | 0.9900 (0.9800–1.0000) |" in lines[2] and "| 1/2.0 | 2.0 × |" in lines[3]
    text = "before <!-- training: made by make bench -->old<!-- end of training --> after"
    assert "\n\nnew\n\n" in report.put(text, "training", "new") and "old" not in report.put(text, "training", "new")
    with pytest.raises(ValueError, match="lacks the marks"):
        report.put("nothing", "training", "new")


def test_the_page_of_results_has_the_latest_tables(load):
    """`make bench` and `make bench-training` write both. Nobody edits one without the other."""
    report, page = load("report"), (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert report.live_table(json.loads((RESULTS / "live_loop.json").read_text())) in page
    assert report.reach_table(json.loads((RESULTS / "reach.json").read_text())) in page
    assert report.training_table(json.loads((RESULTS / "training.json").read_text())) in page


def test_a_hidden_face_is_one_whose_middle_has_changed(load, tmp_path):
    script = load("labels")
    photo = np.zeros((100, 100, 3), np.uint8)
    marked = photo.copy()
    marked[10:60, 10:20] = 255  # a tenth of the face at the left edge, and a tenth more
    assert script.changed_shares(photo, marked, [(10, 10, 50, 50), (60, 60, 30, 30)]) == [pytest.approx(1 / 8), 0]
    lines = ["path,label,x,y,width,height", "a.jpg,mask,0,0,9,9", "b.jpg,mask,0,0,9,9", "b.jpg,mask,9,0,9,9"]
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    assert script.crowded_photos(tmp_path, 1) == [tmp_path / "b.jpg"]


def test_growth_is_a_slope(load, tmp_path, monkeypatch):
    growth = load("growth")
    assert growth.slope([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert growth.slope([1, 2, 4], [5, 5, 5]) == pytest.approx(0)
    photos = tmp_path / "photos"
    for name in ("with_mask", "without_mask"):
        (photos / name).mkdir(parents=True)
        (photos / name / "a.jpg").touch()
    monkeypatch.setattr(growth.sample, "build", lambda: photos)
    folder = growth.linked_photos(10, tmp_path / "many")
    assert len(list(folder.glob("*/*.jpg"))) == 10


def test_the_price_of_searching_less_is_measured_against_every_frame(load, monkeypatch):
    live = load("live_loop")
    detector = live.MaskDetector.load(live.RELEASED, "centerface")
    monkeypatch.setattr(live.MaskDetector, "load", lambda run, name: detector)
    rows = {row["every"]: row for row in live.price_of_looking_less(live.RELEASED, frames=18)}
    assert rows[1]["overlap"] == 1 and rows[1]["late"] == 0
    assert 0.8 < rows[5]["overlap"] < 1
    assert [rows[every]["late"] for every in (2, 3, 5)] == [1, 2, 4]


def test_a_run_in_every_precision_is_a_classifier(load, tmp_path):
    pareto = load("pareto")
    config = json.loads((pareto.resolve("maskdet_utils/released") / "labels.json").read_text())
    content = (pareto.resolve("maskdet_utils/released") / "classifier.tflite").read_bytes()
    folder = pareto.keep(tmp_path / "run", content, config | {"sha256": "of another file"})
    assert set(pareto.milliseconds({"one": folder})["one"]) == {"1", "4"}


def test_8_bits_cost_at_most_half_a_percentage_point():
    """The latest results of `benchmarks/pareto.py` for a run with params/public.yaml."""
    rows = {row["name"]: row for row in json.loads((RESULTS / "pareto.json").read_text())["rows"]}
    assert set(rows) == {"float32", "float16", "dynamic", "int8", "96", "128", "160", "224"}
    for smallest in ("24", "48"):
        exact, rounded = (rows[name]["street"][smallest]["value"] for name in ("float32", "int8"))
        assert exact - rounded <= 0.005
    assert rows["int8"]["megabytes"] <= 3


def test_small_faces_are_pasted_at_their_size_and_counted_by_their_centers(load):
    reach = load("reach")
    photo, marked = np.full((100, 200, 3), 9, np.uint8), np.array([[20.0, 20, 40, 40], [100, 20, 40, 40]])
    pages = list(reach.canvases([(photo, marked)] * 5, (250, 120), 20))
    assert [len(boxes) for _, boxes in pages] == [8, 2], "two rows of two photos, and the rest on a second canvas"
    canvas, boxes = pages[0]
    assert (canvas[:100, :200] == 9).all() and (canvas[100:] == 128).all() and (boxes[:, 2:] == 20).all()
    assert boxes[2].tolist() == [110, 10, 20, 20]
    found = np.array([[11.0, 11, 20, 20], [300, 10, 20, 20], [105, 5, 90, 90]])
    assert reach.is_found(boxes[:3], found).tolist() == [True, False, False], "a box of 90 pixels is not that face"


@pytest.fixture
def street_answers():
    """400 faces of 100 photos, their probabilities of three states, and the same for turned faces."""
    rng = np.random.default_rng(0)
    truth, groups = rng.choice(3, 400, p=[0.5, 0.35, 0.15]), np.repeat(np.arange(100), 4)
    logits = 2.5 * np.eye(3)[truth] + rng.normal(0, 1, (400, 3)) + [0, 0, 1.5]  # the third state is called too often
    turned = rng.normal(0, 0.1, (2, 400, 3))
    softmax = [np.exp(one) / np.exp(one).sum(axis=-1, keepdims=True) for one in (logits, turned)]
    return truth, groups, *softmax


def test_what_is_fitted_on_one_half_of_the_photos_helps_on_the_other(load, street_answers):
    script = load("three_states")
    truth, groups, upright, turned = street_answers
    corrected, of_turned, bands = script.cross_fit(truth, groups, upright, turned)
    assert corrected.shape == upright.shape and of_turned.shape == turned.shape and bands.shape == (400, 2)
    assert np.allclose(corrected.sum(axis=1), 1)
    losses = [-np.log(one[np.arange(400), truth]).mean() for one in (upright, corrected)]
    assert losses[1] < losses[0] - 0.05
    assert len(np.unique(bands[:, 0])) <= 2 and (bands[:, 0] <= 0.5).all() and (bands[:, 1] >= 0.5).all()

    for group in range(10):  # what is true in a photo must not change how that photo itself is judged
        changed = np.where(groups == group, (truth + 1) % 3, truth)
        again = script.cross_fit(changed, groups, upright, turned)[0]
        assert np.array_equal(again[groups == group], corrected[groups == group])
        assert not np.array_equal(again, corrected)
    assert not np.array_equal(script.cross_fit(truth, groups, upright, turned, split=1)[0], corrected)


def test_faces_of_the_third_state_do_not_make_the_answers_to_mask_or_not_unsure(load, street_answers):
    script = load("three_states")
    truth, _, upright, _ = street_answers
    doubtful = np.where(truth == 2, np.random.default_rng(1).permutation(truth), truth)  # some labels are now wrong
    two = doubtful != 2
    of_all = fit_shifts(doubtful, upright, script.WEIGHTS)
    temperature, shifts = script.fit_correction(doubtful, upright)
    assert temperature != pytest.approx(of_all[0], abs=0.01)
    assert np.allclose(shifts * temperature, of_all[1] * of_all[0]), "the shifts are those of all classes"
    rest = fit_temperature(doubtful[two], with_temperature(upright[two], temperature, shifts))
    assert rest == pytest.approx(1, abs=0.02)


def test_scores_of_three_states_are_those_counted_by_hand(load):
    script = load("three_states")
    truth, sizes = np.array([0, 0, 1, 1, 2, 2]), np.array([30, 60, 30, 60, 60, 60])
    upright = np.array(
        [[0.9, 0.05, 0.05], [0.45, 0.35, 0.2], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.55, 0, 0.45], [0, 0.1, 0.9]]
    )
    turned, bands = np.stack([upright, np.full((6, 3), 1 / 3)]), np.tile([0.3, 0.7], (6, 1))
    scores = script.scores_of(truth, sizes, upright, turned, bands)
    assert scores["mask or not, 24"] == 0.5 and scores["mask or bare, 24"] == 0.75
    assert scores["mask or not, 48"] == 0 and scores["mask or bare, 48"] == 0.5
    assert scores["worn incorrectly, called mask"] == 0.5 and scores["bare, called bare"] == 0.5
    assert scores["unsure"] == 0.5 and scores["right if sure"] == 1 and scores["unsure, worn incorrectly"] == 0.5
    assert scores["turned, sure"] == 3 / 12
    two = script.scores_of(
        truth, sizes, upright[:, :2] / upright[:, :2].sum(axis=1, keepdims=True), turned[..., :2], bands
    )
    assert "macro F1" in scores and "macro F1" not in two


def test_what_notebook_08_says_about_both_versions_is_in_the_results():
    """Fewer masks worn incorrectly pass, and turned faces get no sure answer; "mask or not" is the same."""
    states = json.loads((RESULTS / "three_states.json").read_text())
    assert states["v1"]["as_they_are"] and not states["v2"]["as_they_are"]
    before, now = states["v1"]["scores"], states["v2"]["scores"]
    for name in ("worn incorrectly, called mask", "turned, sure"):
        assert now[name]["high"] < before[name]["low"] / 1.5
    for name in ("mask or not, 24", "mask or not, 48"):
        assert now[name]["low"] < before[name]["value"] < now[name]["high"]
        assert now[name]["value"] > 0.975


def test_what_the_pages_say_about_the_teachers_is_in_the_results():
    states = json.loads((RESULTS / "three_states.json").read_text())
    teachers, students = states["teachers"]["scores"], states["v2"]["scores"]
    pair = {
        (name, who): " / ".join(f"{scores[f'{name}, {size}']['value']:.3f}" for size in (24, 48))
        for who, scores in (("teachers", teachers), ("students", students))
        for name in ("mask or not", "mask or bare")
    }
    unsure = [f"{scores['unsure']['value']:.1%}" for scores in (teachers, students)]
    card = " ".join((ROOT / "docs" / "model_card.md").read_text("utf-8").split())
    assert f'"mask or not" of {pair["mask or not", "teachers"]} (' in card
    assert f'"mask or bare" of {pair["mask or bare", "teachers"]}, and it says "unsure" about {unsure[0]}' in card
    assert f"{pair['mask or not', 'students']}, {pair['mask or bare', 'students']}, and {unsure[1]}." in card
    page = " ".join((ROOT / "docs" / "what-did-not-help.md").read_text("utf-8").split())
    assert f"{pair['mask or not', 'students']} with them and {pair['mask or not', 'teachers']} without them" in page
    runs = [one["turned, sure"] for one in states["v2"]["each"]]
    assert f"the runs range from {min(runs):.0%} to {max(runs):.0%}" in (ROOT / "README.md").read_text("utf-8")


def test_what_the_model_card_says_about_drawn_masks_is_in_the_results(load):
    states = json.loads((RESULTS / "third_state.json").read_text())
    assert set(states) == set(load("third_state").VARIANTS)
    card = (ROOT / "docs" / "model_card.md").read_text("utf-8")
    for row in states.values():
        names = ("mask or not, 24", "worn incorrectly, called mask", "macro F1")
        cells = [f"{row['worn incorrectly']:,}", *(score_text(row["scores"][name]) for name in names)]
        assert f"| {' | '.join(cells)} |" in card
    f1 = {name: row["scores"]["macro F1"] for name, row in states.items()}
    assert f1["drawn ones only"]["low"] < f1["real ones only"]["value"] < f1["drawn ones only"]["high"]
    assert f1["all"]["value"] > max(f1["drawn ones only"]["value"], f1["real ones only"]["value"])
    assert f1["real portraits only"]["high"] < f1["real street faces only"]["low"]
    real, all_of_them = (states[name]["scores"]["mask or not, 24"] for name in ("real ones only", "all"))
    assert real["value"] < all_of_them["value"] and real["high"] > all_of_them["low"]
