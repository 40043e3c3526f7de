"""The folders that people have: class folders under many names, train and test folders, folders around folders."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from maskdet_utils import cli, datasets, layouts
from maskdet_utils.datasets import DataError, read_class_folders
from maskdet_utils.layouts import class_folders, class_of, set_of

WITH = """with_mask WithMask With_Mask with-mask WITHMASK mask Mask masks masked masked_faces face_with_mask wearing_mask
    mask_on correct_mask mask_correctly_worn AFDB_masked_face_dataset CMFD withMask 1_with_mask mask_images""".split()
WITHOUT = (
    """without_mask WithoutMask no-mask no_mask NoMask nomask non_mask unmasked not_masked mask_off face_no_mask
    no_face_mask without AFDB_face_dataset not_wearing_mask without_a_mask""".split()
    + ["Non Mask", "without mask"]
)
WRONG = """worn_incorrectly mask_weared_incorrect incorrect_mask mask_worn_incorrectly face_with_mask_incorrect improper
    IMFD incorrectly_masked""".split()


@pytest.fixture
def lay_out(tmp_path, write_photo):
    """A function that makes folders with as many photos as it says, all of them different, and returns the top folder."""

    def write(**counts):
        for name, count in counts.items():
            for number in range(count):
                write_photo(tmp_path / "data" / name / f"{number:02d}.png")
        return tmp_path / "data"

    return write


def names(left, right, count=12):
    return {left: count, right: count}


def in_sets(first="with_mask", second="without_mask", **sets):
    return {f"{name}/{label}": count for name, count in sets.items() for label in (first, second)}


def refusal(folder):
    with pytest.raises(DataError) as error:
        read_class_folders(folder)
    return str(error.value)


# What names mean


@pytest.mark.parametrize(
    "label, spellings", [("with_mask", WITH), ("without_mask", WITHOUT), ("worn_incorrectly", WRONG)]
)
def test_the_spellings_in_the_field_are_understood(label, spellings):
    assert {name: class_of(name) for name in spellings} == dict.fromkeys(spellings, label)


def test_other_names_mean_nothing():
    for name in "0 1 yes no faces helmet cats annotations maskdet mask_or_not masquerade images photos surface".split():
        assert class_of(name) is None, name


def test_sets_have_several_names_too():
    named = {"train": "train Training TRAIN train_set trainset train-images", "test": "test Testing test_data"}
    named["validation"] = "val valid validation Valid dev val_set"
    for split, spellings in named.items():
        assert {set_of(name) for name in spellings.split()} == {split}
    assert {set_of(name) for name in "trains tests evaluate with_mask tram".split()} == {None}


@pytest.mark.parametrize("left, right", [("Mask", "Non Mask"), ("AFDB_masked_face_dataset", "AFDB_face_dataset")])
def test_names_with_one_meaning_are_read_so_and_that_is_said(lay_out, left, right):
    manifest, left_out = read_class_folders(lay_out(**names(left, right)))
    assert manifest.groupby("label")["path"].first().to_dict() == {
        "with_mask": f"{left}/00.png",
        "without_mask": f"{right}/00.png",
    }
    [note] = manifest.attrs["notes"]
    assert note.startswith("Read ") and f"{left}/ as with_mask" in note and f"{right}/ as without_mask" in note
    assert len(left_out) == 0


@pytest.mark.parametrize("left, right", [("0", "1"), ("mask1", "mask2"), ("helmet", "mask"), ("no", "yes")])
def test_names_without_one_clear_meaning_stay_and_the_better_names_are_suggested(lay_out, left, right):
    manifest, _ = read_class_folders(lay_out(**names(left, right)))
    assert set(manifest["label"]) == {left, right}
    [note] = manifest.attrs["notes"]
    assert f"Not clear who wears a mask in {left}/, {right}/" in note and "with_mask/, without_mask/" in note


def test_other_classes_keep_their_names_without_a_word(lay_out):
    manifest, _ = read_class_folders(lay_out(**names("cats", "dogs")))
    assert set(manifest["label"]) == {"cats", "dogs"} and manifest.attrs["notes"] == []


def test_a_third_class_is_refused_with_the_way_out(lay_out):
    message = refusal(lay_out(mask_weared_incorrect=1, **names("with_mask", "without_mask")))
    assert "Found: mask_weared_incorrect, with_mask, without_mask. Move the others somewhere else." in message


# Sets


def test_sets_are_kept_as_given(lay_out):
    manifest, left_out = read_class_folders(lay_out(**in_sets("Mask", "NoMask", Train=20, valid=4, Test=6)))
    assert manifest.groupby(["split", "label"]).size().to_dict() == {
        (name, label): count
        for name, count in {"train": 20, "validation": 4, "test": 6}.items()
        for label in ("with_mask", "without_mask")
    }
    first = manifest["path"].str.split("/").str[0]
    assert (first.map({"Train": "train", "valid": "validation", "Test": "test"}) == manifest["split"]).all()
    assert list(manifest.columns) == ["path", "label", "group", "split"] and len(left_out) == 0
    assert manifest.attrs["notes"] == ["Read Mask/ as with_mask, NoMask/ as without_mask."]


def test_sets_inside_the_class_folders(lay_out):
    folder = lay_out(**{"mask/train": 12, "mask/test": 6, "no_mask/train": 12, "no_mask/test": 6})
    manifest, _ = read_class_folders(folder)
    assert manifest.groupby("label")["split"].nunique().to_dict() == {"with_mask": 3, "without_mask": 3}
    assert set(manifest["split"][manifest["path"].str.contains("/test/")]) == {"test"}


@pytest.mark.parametrize("given, missing", [("test", "validation"), ("val", "test")])
def test_a_missing_set_is_taken_from_the_training_set_and_that_is_said(lay_out, given, missing):
    manifest, _ = read_class_folders(lay_out(**in_sets(train=20, **{given: 6})))
    assert set(manifest["split"][manifest["path"].str.startswith(given)]) == {set_of(given)}
    rest = manifest["split"][manifest["path"].str.startswith("train")]
    assert set(rest) == {"train", missing} and (rest == missing).mean() == pytest.approx(0.2, abs=0.03)
    assert manifest.attrs["notes"] == [f"The folder has no {missing} set. A fifth of its training set is used instead."]


@pytest.mark.parametrize("quality", [None, 60])
def test_copies_and_near_copies_on_both_sides_are_a_warning(lay_out, quality):
    from PIL import Image

    folder = lay_out(**in_sets(train=20, val=4, test=6))
    assert read_class_folders(folder)[0].attrs["notes"] == []
    copy = folder / "test" / "with_mask" / ("copy.jpg" if quality else "copy.png")
    Image.open(folder / "train" / "with_mask" / "03.png").save(copy, quality=quality or 75)
    manifest, _ = read_class_folders(folder)
    [note] = manifest.attrs["notes"]
    assert "Warning: photos that belong together are in different sets, 2 in all" in note
    assert f"test/with_mask/{copy.name} and train/with_mask/03.png" in note
    assert manifest.set_index("path")["split"][f"test/with_mask/{copy.name}"] == "test", "kept as given"


def test_copies_on_both_sides_are_a_warning_even_if_groups_csv_says_otherwise(lay_out):
    folder = lay_out(**in_sets(train=20, val=4, test=6))
    shutil.copy(folder / "train" / "with_mask" / "03.png", folder / "val" / "with_mask" / "copy.png")
    paths = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.png"))]
    table = pd.DataFrame({"path": paths, "group": paths})
    table.to_csv(folder / "groups.csv", index=False)
    [note] = read_class_folders(folder)[0].attrs["notes"]
    assert "Warning: copies of one photo" in note
    table["group"] = [path.split("/")[2] for path in paths]  # a person in all three sets
    table.to_csv(folder / "groups.csv", index=False)
    [note] = read_class_folders(folder)[0].attrs["notes"]
    assert "Warning: photos that belong together" in note


def test_sets_that_cannot_be_used(lay_out, tmp_path):
    folder = lay_out(**in_sets(train=12, val=4, test=4))
    shutil.rmtree(folder / "val" / "with_mask")
    assert "the validation set holds no readable photos of with_mask" in refusal(folder)
    shutil.rmtree(folder / "train")
    assert "the train set holds no readable photos" in refusal(lay_out(**in_sets(val=12)))


def test_sets_without_classes_are_not_classes(lay_out):
    message = refusal(lay_out(Train=12, Test=12))
    assert "Found: Test/ holds no class folders, so it was left out. Train/ holds no class folders" in message


def test_a_set_without_class_folders_is_left_out_and_named(lay_out):
    folder = lay_out(test=3, **in_sets(train=24))
    manifest, left_out = read_class_folders(folder)
    assert manifest["path"].str.startswith("train/").all() and set(manifest["split"]) == set(layouts.SETS)
    assert "test/ holds no class folders, so it was left out." in manifest.attrs["notes"]
    assert left_out.to_dict("list") == {
        "path": [f"test/{number:02d}.png" for number in range(3)],
        "reason": ["in no class folder"] * 3,
    }


def test_groups_csv_says_the_split_and_what_to_leave_out(class_folders):
    paths = [path.relative_to(class_folders).as_posix() for path in sorted(class_folders.rglob("*.png"))]
    table = pd.DataFrame({"path": paths, "group": paths, "exclude": [""] * 23 + ["blurred"]})
    table["split"] = [("train", "train", "Val", "testing")[number % 4] for number in range(24)]
    table.loc[24] = ["with_mask/gone.png", "x", "", "train"]
    table.to_csv(class_folders / "groups.csv", index=False)
    manifest, left_out = read_class_folders(class_folders)
    assert list(manifest["split"]) == [("train", "train", "validation", "test")[number % 4] for number in range(23)]
    assert left_out.to_dict("records") == [
        {"path": paths[23], "reason": "blurred"},
        {"path": "with_mask/gone.png", "reason": "absent"},
    ]
    for wrong, words in (("often", "'often' is not a set. Write train, validation, or test"), ("", "is in none")):
        table.loc[0, "split"] = wrong
        table.to_csv(class_folders / "groups.csv", index=False)
        assert words in refusal(class_folders)


# What else is in folders


def test_one_folder_more_and_clutter_do_not_matter(lay_out):
    folder = lay_out(**{"Face Mask Data/WithMask": 12, "Face Mask Data/WithoutMask": 12, "__MACOSX/Face Mask Data": 2})
    (folder / "__MACOSX" / "._x.jpg").write_bytes(b"x")
    for clutter in ("Thumbs.db", ".DS_Store", "desktop.ini", "._00.png"):
        (folder / "Face Mask Data" / "WithMask" / clutter).write_bytes(b"x")
    manifest, left_out = read_class_folders(folder)
    assert len(manifest) == 24 and len(left_out) == 0
    assert set(manifest["label"]) == {"with_mask", "without_mask"}
    table = pd.DataFrame({"path": manifest["path"].str.removeprefix("Face Mask Data/"), "group": "anna"})
    table.to_csv(folder / "Face Mask Data" / "groups.csv", index=False)
    assert set(read_class_folders(folder)[0]["group"]) == {"anna"}


def test_the_layout_of_a_well_known_collection(lay_out):
    folder = lay_out(
        **in_sets(
            "WithMask", "WithoutMask", **{f"Face Mask Dataset/{name}": 12 for name in ("Train", "Test", "Validation")}
        )
    )
    manifest, _ = read_class_folders(folder)
    assert manifest["split"].value_counts().to_dict() == {"train": 24, "test": 24, "validation": 24}


def test_a_class_folder_with_subfolders_is_not_taken_for_a_wrapper(lay_out):
    assert refusal(lay_out(**{"with_mask/anna": 2, "with_mask/bert": 2})).endswith("Found: with_mask.")


@pytest.mark.parametrize("around", ["dataset", "train"])
def test_the_right_folder_is_suggested(lay_out, around):
    folder = lay_out(**{f"{around}/mask": 12, f"{around}/no_mask": 12, "pictures": 12})
    assert f"Found: {', '.join(sorted([around, 'pictures']))}. Maybe you mean {folder / around}." in refusal(folder)


def test_what_is_left_out_is_named(class_folders, write_photo):
    (class_folders / "with_mask" / "00.xml").write_text("<annotation/>")
    (class_folders / "README.md").write_text("about the photos")
    write_photo(class_folders / "logo.png")
    manifest, left_out = read_class_folders(class_folders)
    assert len(manifest) == 24
    assert left_out.to_dict("records") == [
        {"path": "logo.png", "reason": "in no class folder"},
        {"path": "with_mask/00.xml", "reason": "not a photo"},
    ]


@pytest.mark.skipif(os.name == "nt", reason="links need special rights on Windows")
def test_linked_folders_are_read_once_and_loops_end(class_folders, tmp_path, write_photo):
    write_photo(tmp_path / "elsewhere" / "x.png")
    (class_folders / "with_mask" / "more").symlink_to(tmp_path / "elsewhere")
    (class_folders / "with_mask" / "loop").symlink_to(class_folders / "with_mask")
    (class_folders / "with_mask" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(class_folders / "with_mask" / "pipe.jpg")
    manifest, left_out = read_class_folders(class_folders)
    assert len(manifest) == 25 and "with_mask/more/x.png" in set(manifest["path"])
    assert left_out["path"].tolist() == ["with_mask/gone.png", "with_mask/loop", "with_mask/pipe.jpg"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_files_from_other_programs(class_folders, encoding, separator):
    paths = [path.relative_to(class_folders).as_posix() for path in sorted(class_folders.rglob("*.png"))]
    lines = [separator.join([" path ", " group"])]
    lines += [separator.join([path.replace("/", "\\"), f" Zoë {n % 6}"]) for n, path in enumerate(paths)]
    (class_folders / "groups.csv").write_bytes("\r\n".join(lines).encode(encoding))
    manifest, _ = read_class_folders(class_folders)
    assert list(manifest["group"]) == [f"Zoë {n % 6}" for n in range(24)]


# The pipeline


def test_the_pipeline_refuses_a_folder_before_it_runs_anything(lay_out, monkeypatch, capsys):
    from maskdet_utils import assets, pipeline

    monkeypatch.setattr(assets, "ASSETS", {})
    monkeypatch.setattr(pipeline, "run_pipeline", lambda *_: pytest.fail("a notebook was run"))
    folder = lay_out(with_mask=1)
    assert cli.main(["pipeline", "--dataset", str(folder)]) == 1
    assert "should hold exactly two class folders" in capsys.readouterr().err


def test_notebook_01_keeps_the_sets_of_a_folder_and_passes_on_what_it_read(lay_out, checkout, tmp_path):
    import papermill

    folder = lay_out(**in_sets("Mask", "NoMask", train=20, test=6))
    shutil.copy(folder / "train" / "Mask" / "03.png", folder / "test" / "Mask" / "copy.png")
    papermill.execute_notebook(
        checkout / "notebooks" / "01_load_the_data.ipynb",
        tmp_path / "out.ipynb",
        {"run_dir": str(tmp_path / "run"), "dataset": str(folder)},
        kernel_name="python3",
        cwd=checkout / "notebooks",
        progress_bar=False,
    )
    manifest = pd.read_csv(tmp_path / "run" / "01_load_the_data" / "manifest.csv")
    assert set(manifest["split"][manifest["path"].str.startswith("test/")]) == {"test"}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert [note[:8] for note in metrics["notes"]] == ["Read Mas", "The fold", "Warning:"]
    text = (tmp_path / "out.ipynb").read_text(encoding="utf-8")
    assert "Read Mask/ as with_mask" in text and metrics["n_test"] == 13


def test_the_public_data_set_is_asked_for_if_it_is_missing(tmp_path):
    with pytest.raises(DataError, match="maskdet fetch public"):
        class_folders(tmp_path / "data" / "public")
    assert np.all([datasets.MASK_CLASSES == layouts.MASK_CLASSES, datasets.DataError is layouts.DataError])
