"""What `maskdet pipeline` leaves behind, and what each notebook says when its predecessors have not run."""

import html.parser
import json
import shutil

import nbformat
import numpy as np
import papermill
import pytest
from conftest import ROOT, loaded_from_elsewhere

from maskdet_utils import datasets, evaluation, pipeline, run_page
from maskdet_utils.classifier import LiteClassifier, read_config
from maskdet_utils.model import keras


@pytest.fixture(scope="module")
def metrics(quick_run):
    return json.loads((quick_run / "metrics.json").read_text())


def test_metrics_keep_their_contract(metrics):
    assert metrics["schema_version"] == 2
    assert (metrics["dataset"], metrics["seed"]) == ("sample", 0)
    assert {"keras", "tensorflow", "numpy"} <= set(metrics["versions"])
    assert metrics["n_train"] > metrics["n_test"] >= metrics["n_validation"] > 100
    head_only = metrics["head_only"]
    for scores in (metrics, metrics["degraded"], head_only, head_only["degraded"]):
        for name in ("accuracy", "balanced_accuracy", "roc_auc"):
            score = scores[name]
            if score["value"] == 1:
                assert score["low"] is None and score["high"] is None, "without an error there is no interval"
            else:
                assert 0.5 < score["low"] <= score["value"] <= score["high"] <= 1
        people = scores["groups_without_error"]
        assert 0 <= people["count"] <= people["of"] == 8
        assert 0 <= people["low"] <= people["value"] == people["count"] / people["of"] <= people["high"] <= 1
        assert people["low"] < 1, "eight people make nobody certain"
    assert metrics["left_out"] == {"count": 0, "photos": []}
    assert list(metrics["seconds"]) == list(pipeline.PIPELINE) and min(metrics["seconds"].values()) > 0
    folds = metrics["cross_validation"]
    assert set(folds) == {"by_group", "naive", "degraded"} and set(folds["degraded"]) == {"by_group", "naive"}
    assert folds["degraded"]["by_group"] <= folds["by_group"]
    assert np.sum(metrics["confusion"]) == metrics["n_test"]
    assert 100 < metrics["peak_memory_mb"] <= 2000
    assert metrics["image_size"] == pipeline.read_profile("quick")["image_size"], (
        "the profile's value, not the notebooks'"
    )


def test_labels_keep_their_contract(quick_run):
    labels = read_config(quick_run)
    assert labels["classes"] == ["with_mask", "without_mask"]
    assert labels["input_size"] == pipeline.read_profile("quick")["image_size"]
    assert 0 < labels["threshold"] < 1
    assert labels["crop_margin"] == 0.25


def test_both_classifier_files_load_agree_and_know_the_classes(quick_run, sample_folder):
    classifier = keras.saving.load_model(quick_run / "classifier.keras")
    lite = LiteClassifier(quick_run / "classifier.tflite")
    labels = read_config(quick_run)
    size = labels["input_size"]
    assert classifier.input_shape == (None, size, size, 3) and lite.input_size == size
    assert not any("Random" in type(layer).__name__ for layer in classifier._flatten_layers())
    paths = [path for label in labels["classes"] for path in sorted((sample_folder / label).glob("*.jpg"))[:250]]
    probabilities = evaluation.classify_photos(classifier, paths, size)
    assert len(paths) == 500
    assert np.abs(probabilities - evaluation.classify_photos(lite, paths, size)).max() < 1e-3
    truth = np.array([path.parent.name == "without_mask" for path in paths]).astype(int)
    assert evaluation.accuracy(truth, probabilities) > 0.8


def test_the_split_is_by_person_and_its_manifest_says_so(quick_run):
    import pandas as pd

    manifest = pd.read_csv(quick_run / "01_load_the_data" / "manifest.csv")
    assert (manifest.groupby("group")["split"].nunique() == 1).all()
    assert (datasets.split_by_group(manifest, seed=0) == manifest["split"]).all()


def test_every_notebook_was_executed_into_the_run_folder(quick_run):
    for name in pipeline.PIPELINE:
        notebook = nbformat.read(quick_run / f"{name}.ipynb", as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code), name
        assert not any(output.output_type == "error" for cell in code for output in cell.outputs), name


class Page(html.parser.HTMLParser):
    """The files that a page refers to, and its images."""

    def __init__(self, text):
        super().__init__()
        self.references, self.images = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.references += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag == "img":
            self.images.append(attributes)


def test_the_page_shows_every_figure_in_words_too_and_leads_to_files_that_exist(quick_run, metrics):
    text = (quick_run / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    for reference in page.references:
        assert (quick_run / reference).is_file(), reference
    figures = {f"figures/{path.name}" for path in (quick_run / "figures").glob("*.png")}
    assert {image["src"] for image in page.images} == figures and len(figures) >= 5
    assert all(len(image["alt"]) > 15 for image in page.images)
    assert {f"{name}{ending}" for name in pipeline.PIPELINE for ending in (".ipynb", ".html")} <= set(page.references)
    for scores in (metrics, metrics["degraded"]):
        for name in ("accuracy", "balanced_accuracy", "roc_auc"):
            assert all(f"{value:.4f}" in text for value in scores[name].values() if value is not None)
        people = scores["groups_without_error"]
        assert f"no error in the photos of {people['count']} of 8 people" in text
    assert "1.0000 to 1.0000" not in text
    assert '<html lang="en">' in text and "<title>" in text


def test_at_the_top_of_the_page_stand_accuracy_confusion_and_two_figures(quick_run, metrics):
    top = (quick_run / "index.html").read_text(encoding="utf-8").partition("<h2>Scores</h2>")[0]
    assert f"<strong>{metrics['accuracy']['value']:.4f}</strong>" in top
    assert all(f">{count}</td>" in top for row in metrics["confusion"] for count in row)
    assert [image["src"] for image in Page(top).images] == [f"figures/{name}.png" for name in run_page.TOP_FIGURES]


@pytest.mark.parametrize("name", ["index", *pipeline.PIPELINE])
def test_a_page_of_the_run_needs_no_network_and_leads_to_files_of_the_folder(quick_run, name):
    text = (quick_run / f"{name}.html").read_text(encoding="utf-8")
    assert not loaded_from_elsewhere(text)
    local = [one for one in Page(text).references if not one.startswith(("#", "data:", "http"))]
    assert all((quick_run / one).is_file() for one in local)


NEEDING_OTHERS = [
    name for name in pipeline.PIPELINE if "runs.require(" in (ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8")
]


def test_notebooks_that_go_on_from_others_ask_for_their_files():
    assert {"03_mobilenetv2_head_surgery", "04_train_the_classifier", "05_evaluate_the_classifier"} <= set(
        NEEDING_OTHERS
    )


def refusal(name, run_dir, output):
    """What a notebook says when it is run alone on a run folder."""
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(
            ROOT / "notebooks" / f"{name}.ipynb",
            output,
            {"run_dir": str(run_dir)},
            kernel_name="python3",
            cwd=ROOT / "notebooks",
            progress_bar=False,
        )
    assert error.value.ename == "RunError"
    return error.value.evalue


@pytest.mark.parametrize("name", NEEDING_OTHERS)
def test_alone_on_an_empty_run_folder_it_says_which_notebook_to_run_first(name, tmp_path):
    said = refusal(name, tmp_path / "run", tmp_path / "out.ipynb")
    assert "manifest.csv is missing" in said and "Run 01_load_the_data.ipynb first" in said


def test_evaluating_before_training_names_the_missing_file_and_notebook_04(quick_run, tmp_path):
    shutil.copytree(quick_run / "01_load_the_data", tmp_path / "01_load_the_data")
    said = refusal("05_evaluate_the_classifier", tmp_path, tmp_path / "out.ipynb")
    assert "labels.json is missing" in said and "Run 04_train_the_classifier.ipynb first" in said


def test_the_training_as_one_function_trains_the_classifier_of_notebook_07(quick_run, tmp_path):
    import pandas as pd

    from benchmarks import recipe

    photos = pd.read_csv(quick_run / "01_load_the_data" / "manifest.csv")
    about = json.loads((quick_run / "01_load_the_data" / "dataset.json").read_text())
    photos["file"] = about["folder"] + "/" + photos["path"]
    asked = pipeline.parameters_of(ROOT / "notebooks" / "07_make_it_better.ipynb") | pipeline.read_profile("quick")
    chosen = {
        name: asked[name]
        for name in ("image_size", "n_drawn", "n_views", "epochs", "fine_tune_epochs", "cut_faces", "seed")
    }
    classifier = recipe.train(photos, about["classes"], tmp_path, **chosen)
    stored = keras.saving.load_model(quick_run / "07_make_it_better" / "classifier.keras")
    files = photos["file"][photos["split"] == "test"].tolist()[::4]
    ours, its = (evaluation.classify_photos(model, files, asked["image_size"]) for model in (classifier, stored))
    # `fit` and the notebook's own loop give nearly the same weights, but not bit for bit.
    assert np.abs(ours - its).mean() < 0.01 and np.abs(ours - its).max() < 0.15
    assert (ours.argmax(axis=1) == its.argmax(axis=1)).mean() > 0.97


def test_without_a_trained_classifier_notebook_06_takes_the_released_one(tmp_path):
    papermill.execute_notebook(
        ROOT / "notebooks" / "06_live_webcam_demo.ipynb",
        tmp_path / "out.ipynb",
        {"run_dir": str(tmp_path / "run")},
        kernel_name="python3",
        cwd=ROOT / "notebooks",
        progress_bar=False,
    )
    assert "Classifier: the released one." in (tmp_path / "out.ipynb").read_text("utf-8")


def test_if_the_page_of_a_run_fails_the_run_is_not_lost(tmp_path, monkeypatch):
    def train(staging, **_):
        (staging / "classifier.tflite").write_text("trained for an hour")

    def fail(_):
        raise IndexError("list index out of range")

    monkeypatch.setattr(pipeline, "PIPELINE", [])
    monkeypatch.setattr(pipeline, "update_metrics", train)
    monkeypatch.setattr(pipeline, "write_page", fail)
    with pytest.raises(
        pipeline.RunError, match="page failed: IndexError: list index out of range\n.*is kept in .*quick-failed"
    ):
        pipeline._run(tmp_path, tmp_path / "quick", {})
    assert (tmp_path / "quick-failed" / "classifier.tflite").read_text() == "trained for an hour"
    assert not (tmp_path / "quick").exists()


def test_the_page_of_a_run_with_three_classes_counts_masks_and_the_rest():
    classes = ["with_mask", "without_mask", "worn_incorrectly"]
    two = run_page._confusion_table({"classes": classes, "confusion": [[80, 1], [2, 77]]})
    assert "called with mask" in two and "called not with mask" in two and "worn incorrectly" not in two
    assert all(f">{count}<" in two for count in (80, 1, 2, 77))
    three = run_page._confusion_table({"classes": classes, "confusion": np.eye(3, dtype=int).tolist()})
    assert "called worn incorrectly" in three
