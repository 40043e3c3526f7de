"""A classifier as a folder of static files: what is in it, that it is whole, and that it says what the run says.

What the page does with it in a browser is tested in test_web_page.py.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SHARED, python_answers

from maskdet_utils import assets
from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED, ClassifierError, LiteNetwork, load_classifier
from maskdet_utils.evaluation import classify_photos
from maskdet_utils.web import export
from maskdet_utils.web.export import MARK, export_web, fixed_batch

MADE = {"classifier.json", "labels.js", "models/classifier.tflite", "models/faces.tflite", MARK, *export.RUNTIME}


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def quick_page(quick_run, tmp_path_factory):
    """The page of the quick run, and what `export_web` says about it."""
    folder = tmp_path_factory.mktemp("quick") / "page"
    return folder, export_web(folder, quick_run)


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    """A function that makes a run with a tiny network: its classes, and whether it also has the .keras file."""
    from maskdet_utils import model
    from maskdet_utils.export import to_litert

    layers = model.keras.layers

    def make(*classes, whole=True, seed=0, **settings):
        folder = tmp_path_factory.mktemp("run")
        model.set_seed(seed)
        network = model.keras.Sequential(
            [
                layers.Input((32, 32, 3)),
                layers.Rescaling(1 / 127.5, offset=-1),
                layers.Conv2D(8, 5, strides=4, activation="relu"),
                layers.Flatten(),
                layers.Dense(len(classes), activation="softmax"),
            ]
        )
        to_litert(network, folder / CLASSIFIER)
        if whole:
            network.save(folder / "classifier.keras")
        labels = {"classes": classes, "input_size": 32, "threshold": 0.5, "crop_margin": 0.25, **settings}
        (folder / LABELS).write_text(json.dumps(labels))
        return folder

    return make


# What is in the folder


def test_the_folder_holds_the_page_the_models_the_runtime_and_the_licenses(exported):
    page = {path.name for path in (ROOT / "maskdet_utils" / "web" / "page").iterdir()}
    licenses = {f"licenses/{path.name}" for path in (ROOT / "maskdet_utils" / "web" / "licenses").iterdir()}
    found = files_in(exported)
    assert set(found) == MADE | page | licenses
    assert found["licenses/mit.txt"] == (ROOT / "LICENSE").read_bytes()
    for name in ("LiteRT.js", "BlazeFace", "MobileNetV2", "AT&T"):
        assert name in found["licenses/about.txt"].decode(), name
    assert b"Version 2.0, January 2004" in found["licenses/apache-2.0.txt"]


def test_the_mark_has_the_hash_of_every_file(exported):
    found = files_in(exported)
    mark = json.loads(found.pop(MARK))
    assert mark["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def test_the_json_says_what_labels_json_says(exported):
    about = json.loads((exported / "classifier.json").read_text())
    labels = json.loads((RELEASED / LABELS).read_text())
    for name in ("classes", "input_size", "threshold", "crop_margin", "unsure"):
        assert about[name] == labels[name], name
    assert about["mask_class"] == 0 and about["name"] == "released" and "AT&T" in about["sample_credit"]


def test_all_addresses_are_relative_and_lead_to_files_of_the_folder(exported):
    """So the page works below any address, and asks nobody else for anything."""
    found = files_in(exported)
    ours = [name for name in found if name.endswith((".html", ".js", ".css")) and "_wasm_" not in name]
    asked_for = set()
    for name in ours:
        text = found[name].decode()
        loaded = re.findall(r"""(?:^|[\s;])(?:import|from)\s*\(?\s*["']([^"']+)["']""", text)
        loaded += re.findall(r"""(?:src|href)=["']([^"'#]+)["']""", text) if name.endswith(".html") else []
        loaded += re.findall(r"""(?:fetch|new URL)\(\s*["']([^"']+)["']""", text)
        loaded += re.findall(r"""url\(\s*["']?([^"')]+)""", text) if name.endswith(".css") else []
        for address in (one for one in loaded if not one.startswith("data:")):
            assert not re.match(r"/|\w+:", address), f"{name} asks for {address}"
            target = os.path.normpath(os.path.join(os.path.dirname(name), address))
            is_folder = target == "." or any(one.startswith(f"{target}/") for one in found)
            assert target in found or is_folder, f"{name} asks for {address}"
            asked_for.add(target)
        assert "sourceMappingURL" not in text
    assert "runtime/wasm-utils.js" in asked_for


def test_a_first_visit_is_short(exported, quick_page):
    """Nobody waits for more on a phone; most servers compress with gzip."""
    for folder, most in ((exported, 8e6), (quick_page[0], 8.5e6)):
        found = files_in(folder)
        loaded = [name for name in found if "compat" not in name and not name.startswith(("licenses/", MARK))]
        sizes = {name: len(gzip.compress(found[name], 6)) for name in loaded}
        print(f"\n{folder}: {sum(sizes.values()) / 1e6:.2f} MB, uncompressed {sum(map(len, map(found.get, loaded))):,}")
        assert sum(sizes.values()) <= most, sizes


def test_the_wheel_carries_the_page(exported, tmp_path):
    """What an installed package would lack, the page would lack, too."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    carried = {
        path
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    web = ROOT / "maskdet_utils" / "web"
    needed = {path for path in (*web.glob("page/*"), *web.glob("licenses/*"), web.parent / "live" / "labels.js")}
    assert needed and needed <= carried and "maskdet_utils.web" in settings["packages"]
    assert all(path.is_file() for path in web.glob("page/*")), "no folders in it"


# The same answers


def wild_crops():
    crops = sorted((SHARED / "datasets" / "wild-dev" / "crops").rglob("*.jpg"))
    return [crops[place] for place in np.random.default_rng(0).permutation(len(crops))[:200]]


@pytest.mark.parametrize("which", ["released", "quick"])
def test_every_label_of_the_sample_and_of_street_faces_is_that_of_the_run(which, request, sample_folder):
    run = RELEASED if which == "released" else request.getfixturevalue("quick_run")
    page = request.getfixturevalue("exported") if which == "released" else request.getfixturevalue("quick_page")[0]
    original, config = load_classifier(run)
    copy = LiteNetwork((page / "models" / "classifier.tflite").read_bytes())
    copy.input_size = config["input_size"]
    sets = {"sample": sorted(sample_folder.rglob("*.jpg"))}
    if SHARED.is_dir():
        sets["street"] = wild_crops()
    for name, photos in sets.items():
        answers = [classify_photos(network, photos, config["input_size"]) for network in (original, copy)]
        difference = np.abs(answers[0] - answers[1]).max()
        print(f"\n{which}, {len(photos)} faces of {name}: probabilities differ by at most {difference:.4f}")
        # A quick run is unsure of many faces, and rounding may decide one that it gives 0.50.
        decided = np.abs(answers[0][:, 0] - 0.5) > (0 if which == "released" else 0.01)
        assert np.array_equal(*(each[decided].argmax(axis=1) for each in answers)) and decided.mean() > 0.9, name
        assert difference <= (1e-6 if which == "released" else 0.05)


def test_the_weights_of_a_run_take_half_the_space(quick_run, quick_page):
    folder, summary = quick_page
    assert summary["precision"] == "float16" and 0 < summary["difference"] < 0.05
    ratio = (folder / "models" / "classifier.tflite").stat().st_size / (quick_run / CLASSIFIER).stat().st_size
    assert 0.45 < ratio < 0.55
    assert summary["bytes"] == sum(map(len, files_in(folder).values()))


def test_a_run_without_its_keras_file_gives_the_file_that_it_has(tiny_run, tmp_path):
    run = tiny_run("with_mask", "without_mask", whole=False)
    assert export_web(tmp_path / "page", run) == {
        "bytes": sum(map(len, files_in(tmp_path / "page").values())),
        "precision": "as in the run",
        "difference": pytest.approx(0, abs=1e-6),
    }
    exported = (tmp_path / "page" / "models" / "classifier.tflite").read_bytes()
    assert exported == fixed_batch((run / CLASSIFIER).read_bytes())


def test_the_tflite_file_counts_if_the_keras_file_says_something_else(tiny_run, tmp_path):
    """Everything else in the project uses the .tflite file of a run."""
    run, other = (tiny_run("with_mask", "without_mask", seed=seed) for seed in (0, 1))
    shutil.copy(other / "classifier.keras", run)
    assert export_web(tmp_path / "page", run)["precision"] == "as in the run"


def test_a_file_may_be_named_instead_of_a_run(tiny_run, tmp_path):
    run = tiny_run("with_mask", "without_mask")
    assert export_web(tmp_path / "page", run / "classifier.keras")["precision"] == "float16"
    assert export_web(tmp_path / "page", run / CLASSIFIER)["precision"] == "as in the run"
    assert json.loads((tmp_path / "page" / "classifier.json").read_text())["name"] == run.name


@pytest.mark.parametrize(
    "classes, settings, sorted_classes, outputs, mask_class",
    [
        (("without_mask", "with_mask"), {}, ["with_mask", "without_mask"], [1, 0], 0),
        (("a", "b"), {}, ["a", "b"], [0, 1], None),
        (("a", "b"), {"mask_class": "b"}, ["b", "a"], [1, 0], 0),
        (
            ("mask_weared_incorrect", "with_mask", "without_mask"),
            {"unsure": [0.2, 0.6], "threshold": 0.4},
            ["with_mask", "without_mask", "mask_weared_incorrect"],
            [1, 2, 0],
            0,
        ),
    ],
)
def test_the_class_that_means_mask_comes_first(
    classes, settings, sorted_classes, outputs, mask_class, tiny_run, tmp_path, web_faces
):
    run = tiny_run(*classes, **settings)
    export_web(tmp_path / "page", run)
    about = json.loads((tmp_path / "page" / "classifier.json").read_text())
    assert about["classes"] == sorted_classes and about["outputs"] == outputs and about["mask_class"] == mask_class
    assert about["unsure"] == settings.get("unsure") and about["threshold"] == settings.get("threshold", 0.5)
    found = python_answers(tmp_path / "page", web_faces[:5])
    assert found.shape == (5, len(classes)) and np.allclose(found.sum(axis=1), 1, atol=1e-3)
    _, config = load_classifier(run)
    assert config["classes"] == sorted_classes


def test_the_exported_network_takes_one_picture_and_nothing_else_has_changed():
    original = (RELEASED / CLASSIFIER).read_bytes()
    changed = fixed_batch(original)
    for content, count in ((original, -1), (changed, 1)):
        network = LiteNetwork(content)._interpreter
        details = network.get_input_details() + network.get_output_details()
        assert [detail["shape_signature"][0] for detail in details] == [count, count]
        assert all(detail["shape_signature"][0] == count for detail in network.get_tensor_details()[:1])
    assert len(original) == len(changed) and fixed_batch(changed) == changed
    different = np.flatnonzero(np.frombuffer(original, np.uint8) != np.frombuffer(changed, np.uint8))
    assert {original[place] for place in different} == {255} and {changed[place] for place in different} == {0, 1}


def test_there_are_200_faces_for_the_page_to_classify(exported, web_faces):
    assert len(web_faces) == 200
    answers = python_answers(exported, web_faces)
    assert answers.shape == (200, 3) and 40 < (answers[:, 0] > 0.5).sum() < 160


# Whole or not at all


def test_the_command_writes_the_folder_and_says_how_to_look_at_it(run_maskdet, tmp_path, exported):
    done = run_maskdet("export-web", "my page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "my page: 2" in done.stdout and "-m http.server --directory 'my page'" in done.stdout
    assert "http://localhost:8000" in done.stdout
    assert files_in(tmp_path / "my page") == files_in(exported), "the same bytes each time"


def test_a_run_is_relative_to_the_current_folder(run_maskdet, tiny_run, tmp_path):
    run = tiny_run("with_mask", "without_mask")
    done = run_maskdet("export-web", run.name, tmp_path / "page", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "page" / "classifier.json").read_text())["name"] == run.name


def test_an_earlier_page_is_replaced(tiny_run, tmp_path):
    (tmp_path / "page").mkdir()
    export_web(tmp_path / "page")
    export_web(tmp_path / "page", tiny_run("with_mask", "without_mask"))
    assert json.loads((tmp_path / "page" / "classifier.json").read_text())["input_size"] == 32
    assert {path.name for path in tmp_path.iterdir()} == {"page", ".page.lock"}


@pytest.mark.parametrize("after", [0, 8])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["Ctrl-C", "full"])
def test_an_interrupted_export_leaves_the_earlier_page(after, error, tiny_run, tmp_path, monkeypatch):
    export_web(tmp_path / "page")
    before, calls, write = files_in(tmp_path), [], Path.write_bytes

    def fail_later(path, content):
        if tmp_path in path.parents and "page" in path.parts[len(tmp_path.parts)]:
            calls.append(path)
            if len(calls) > after:
                raise error
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail_later)
    with pytest.raises(type(error)):
        export_web(tmp_path / "page", tiny_run("with_mask", "without_mask"))
    assert files_in(tmp_path) == before and len(calls) == after + 1


def test_what_a_killed_export_left_behind_is_removed_and_the_page_is_back(tmp_path):
    export_web(tmp_path / "page")
    before = files_in(tmp_path)
    (tmp_path / "page").rename(tmp_path / ".page.maskdet-old")  # killed between the two moves
    for name, files in {
        ".page.maskdet-x1y2": [MARK, "index.html"],
        ".page.maskdet-z3": [],
    }.items():  # killed while it wrote
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("half of it")
    export_web(tmp_path / "page")
    assert files_in(tmp_path) == before


def test_a_file_that_was_not_written_as_it_should_be_is_noticed(tmp_path, monkeypatch):
    """A disk may lie."""
    write = Path.write_bytes
    monkeypatch.setattr(
        Path, "write_bytes", lambda path, content: write(path, content[: 5 if tmp_path in path.parents else None])
    )
    with pytest.raises(ValueError, match="which maskdet export-web did not write"):
        export_web(tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_page_in_a_git_repository_of_its_own_is_not_replaced(tmp_path):
    """Who publishes the page would lose the history."""
    export_web(tmp_path / "page")
    (tmp_path / "page" / ".git").mkdir()
    (tmp_path / "page" / ".git" / "HEAD").write_text("ref: refs/heads/main")
    with pytest.raises(ValueError, match="page holds .git/HEAD, which maskdet export-web did not write"):
        export_web(tmp_path / "page")


def test_a_classifier_that_answers_single_pictures_differently_is_refused(tiny_run, tmp_path, monkeypatch):
    run = tiny_run("with_mask", "without_mask", whole=False)
    monkeypatch.setattr(export, "fixed_batch", lambda content: (tiny_run("a", "b", seed=5) / CLASSIFIER).read_bytes())
    with pytest.raises(ClassifierError, match="cannot be exported"):
        export_web(tmp_path / "page", run)
    assert not (tmp_path / "page").exists()


def test_without_the_runtime_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    for name in ("att_faces", "blazeface"):
        shutil.copy(assets.fetch(name), tmp_path)
    monkeypatch.setenv("MASKDET_CACHE", str(tmp_path))
    monkeypatch.setenv("MASKDET_OFFLINE", "1")
    monkeypatch.delenv("MASKDET_ASSET_DIR", raising=False)
    with pytest.raises(
        assets.AssetError, match=r"(?s)litertjs-core-2.5.3.tgz .* npm pack @litertjs/core@2.5.3"
    ) as error:
        export_web(tmp_path / "page")
    assert "or save https://registry.npmjs.org/@litertjs/core/-/core-2.5.3.tgz in FOLDER" in str(error.value)
    assert not (tmp_path / "page").exists()
