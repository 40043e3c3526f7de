"""The built-in sample: complete, repeatable, and with classes that differ only in the mask."""

import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from maskdet_utils import datasets, sample
from maskdet_utils.photos import read_photo


@pytest.fixture(scope="module")
def pairs(sample_folder):
    """A manifest of the sample, and its photos in the same order."""
    manifest, left_out = datasets.read_class_folders(sample_folder)
    assert len(left_out) == 0
    return manifest, [read_photo(sample_folder / path) for path in manifest["path"]]


def test_att_photos_are_400_of_40_people():
    photos = list(sample.att_photos())
    assert len(photos) == 400 and {person for person, _, _ in photos} == {f"s{n:02d}" for n in range(1, 41)}
    assert all(photo.shape == (112, 92, 3) for _, _, photo in photos)


def test_every_photo_has_its_masked_copy_and_its_person(pairs):
    manifest, photos = pairs
    assert manifest["group"].nunique() == 40 and len(manifest) >= 790
    names = manifest["path"].str.split("/").str[1]
    assert (manifest.groupby(names)["label"].nunique() == 2).all(), "each name in both classes"
    assert (names.str[:3] == manifest["group"]).all()
    assert manifest["group"].value_counts().min() >= 16, "nobody is nearly missing"
    photo = dict(zip(manifest["path"], photos, strict=True))
    for name in names.unique():
        changed = np.abs(photo[f"with_mask/{name}"].astype(int) - photo[f"without_mask/{name}"]).max(axis=2) > 20
        assert changed.mean() > 0.08, f"{name}: hardly anything was drawn"


def test_both_classes_are_encoded_alike(sample_folder):
    def encodings(label):
        images = [Image.open(path) for path in (sample_folder / label).iterdir()]
        return {(image.format, image.size, image.mode, str(image.quantization)) for image in images}

    assert encodings("with_mask") == encodings("without_mask")
    assert len(encodings("with_mask")) == 1


def accuracy_on_unseen_people(features, manifest):
    """5 folds by person; the better of logistic regression and the best single threshold."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    features = np.asarray(features, dtype=float).reshape(len(manifest), -1)
    labels, folds = manifest["label"].to_numpy(), datasets.folds_by_group(manifest, seed=0)
    accuracies = []
    for classifier in (
        make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
        DecisionTreeClassifier(max_depth=1),
    ):
        hits = [
            classifier.fit(features[folds != fold], labels[folds != fold]).predict(features[folds == fold])
            == labels[folds == fold]
            for fold in range(5)
        ]
        accuracies.append(np.concatenate(hits).mean())
    return max(accuracies)


def saturation(photo):
    return cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)[..., 1].mean()


def sharpness(photo):
    return np.log(cv2.Laplacian(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def upper_third(photo):
    return cv2.resize(photo[: len(photo) // 3], (16, 16), interpolation=cv2.INTER_AREA)


def lower_half(photo):
    return cv2.resize(photo[len(photo) // 2 :], (8, 8), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("feature", [saturation, sharpness, upper_third])
def test_no_shortcut_tells_the_classes_apart(pairs, feature):
    manifest, photos = pairs
    accuracy = accuracy_on_unseen_people([feature(photo) for photo in photos], manifest)
    print(f"\n{feature.__name__} alone: {accuracy:.3f}")
    assert accuracy <= 0.60


def test_the_lower_half_tells_the_classes_apart(pairs):
    """The same classifiers do well on the lower half of the photo, so the test above could fail."""
    manifest, photos = pairs
    assert accuracy_on_unseen_people([lower_half(photo) for photo in photos], manifest) > 0.8


@pytest.mark.filterwarnings("error")
def test_tint_keeps_black_and_white_and_gives_color():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    tints = [sample.tint(gray, np.random.default_rng(seed)) for seed in range(20)]
    assert all((tint[0, 0] == 0).all() and (tint[0, 255] == 255).all() for tint in tints)
    casts = [int(tint[0, 128, 0]) - int(tint[0, 128, 2]) for tint in tints]
    assert min(casts) >= 0 and max(casts) > 40 and len(set(casts)) > 10
    assert np.array_equal(tints[3], sample.tint(gray, np.random.default_rng(3)))


@pytest.fixture
def only_one_person(monkeypatch):
    photos = [next(sample.att_photos())]
    photos += [row for row in sample.att_photos() if row[0] == "s01"][1:4]
    monkeypatch.setattr(sample, "att_photos", lambda: iter(photos))
    return [f"s01_{number:02d}.jpg" for _, number, _ in photos]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


def test_the_same_seed_gives_the_same_sample(only_one_person, tmp_path, sample_folder):
    first, again, other = (
        contents(sample.build(tmp_path / name, seed)) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert len(first) == 2 * len(only_one_person)
    assert first == again
    assert all(first[path] != other[path] for path in first)
    stored = contents(sample_folder)
    assert all(first[path] == stored[path] for path in first), (
        "data/sample is not what the code makes now: raise sample.VERSION"
    )


def test_a_finished_sample_is_left_alone_and_an_outdated_one_replaced(only_one_person, tmp_path, monkeypatch):
    folder = sample.build(tmp_path / "sample")
    photo = folder / "with_mask" / only_one_person[0]
    photo.write_bytes(b"touched")
    sample.build(folder)
    assert photo.read_bytes() == b"touched"
    monkeypatch.setattr(sample, "VERSION", sample.VERSION + 1)
    sample.build(folder)
    assert photo.read_bytes() != b"touched"
    assert len(pd.read_csv(folder / "groups.csv")) == 2 * len(only_one_person)
    assert set(os.listdir(tmp_path)) == {"sample", ".sample.lock"}


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_a_killed_process_leaves_no_half_finished_folder(tmp_path):
    code = "import sys; from maskdet_utils import sample; sample.build(sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "sample")], stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(tmp_path.rglob("*.jpg"))) < 4:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "sample").exists()


def test_color_gives_skin_its_hue_and_keeps_the_shape_of_the_face(photo, points):
    results = [sample.color(photo, points, np.random.default_rng(seed)) for seed in range(20)]
    assert all(result.shape == photo.shape and result.dtype == np.uint8 for result in results)
    x, y = points[50, :2].astype(int)  # a cheek
    cheeks = np.array([result[y, x] for result in results], int)
    assert (cheeks[:, 0] > cheeks[:, 2]).mean() > 0.8, "skin is redder than it is blue, in nearly any light"
    assert np.ptp(cheeks.mean(axis=1)) > 30, "from pale to dark"
    gray = photo.mean(axis=2).ravel()
    assert all(np.corrcoef(result.mean(axis=2).ravel(), gray)[0, 1] > 0.6 for result in results)
    assert np.array_equal(results[3], sample.color(photo, points, np.random.default_rng(3)))


def test_forehead_hair_and_neck_have_the_colors_of_the_face_and_the_background_has_its_own(photo, points):
    from maskdet_utils.synthesis.masks import face_axes

    (_, down, _), width = face_axes(points)
    forehead, crown, neck = (
        points[10, :2] + 0.03 * width * down[:2],
        points[10, :2] - 0.12 * width * down[:2],
        points[152, :2] + 0.12 * width * down[:2],
    )
    apart = {"forehead": [], "crown": [], "neck": [], "background": []}
    for seed in range(20):
        lab = cv2.cvtColor(
            sample.color(photo, points, np.random.default_rng(seed)) / np.float32(255), cv2.COLOR_RGB2LAB
        )
        cheek = lab[tuple(points[50, 1::-1].astype(int))][1:]
        for name, point in (("forehead", forehead), ("crown", crown), ("neck", neck), ("background", (3, 3))):
            x, y = np.clip(np.int32(point), 0, (photo.shape[1] - 1, photo.shape[0] - 1))
            apart[name].append(np.abs(lab[y, x, 1:] - cheek).max())
    assert all(np.median(apart[name]) < 8 for name in ("forehead", "crown", "neck")), apart
    assert max(apart["background"]) > 15


def test_one_of_three_processes_builds_it_while_the_others_wait(tmp_path):
    code = """if True:
        import sys
        from maskdet_utils import sample

        photos, build = sample.att_photos, sample._build
        sample.att_photos = lambda: (photo for photo in photos() if photo[0] == "s01")
        sample._build = lambda *arguments: (print("made"), build(*arguments))
        print(sum(1 for _ in (sample.build(sys.argv[1]) / "with_mask").iterdir()))
    """
    command = [sys.executable, "-c", code, str(tmp_path / "sample")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(map(len, outputs)) == [1, 1, 2] and len({words[-1] for words in outputs}) == 1
