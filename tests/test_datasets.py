"""Class folders → manifest → split → batches, and the errors for folders that are not as they should be."""

import re
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from maskdet_utils import datasets
from maskdet_utils.checks import no_group_on_two_sides
from maskdet_utils.datasets import DataError, read_class_folders, split_by_group
from maskdet_utils.photos import fit_to_input, read_photo


def refusal(folder, **options):
    with pytest.raises(DataError) as error:
        read_class_folders(folder, **options)
    return str(error.value)


def test_manifest_lists_every_photo_with_its_folders_name_as_label(class_folders):
    manifest, left_out = read_class_folders(class_folders)
    assert list(manifest.columns) == ["path", "label", "group"]
    assert list(manifest["path"]) == sorted(manifest["path"]) and len(manifest) == 24
    assert (manifest["label"] == manifest["path"].str.split("/").str[0]).all()
    assert manifest["group"].is_unique, "photos that are unlike one another are groups of their own"
    assert len(left_out) == 0


def test_groups_file_says_which_photos_belong_together(class_folders):
    paths = read_class_folders(class_folders)[0]["path"]
    groups = pd.DataFrame({"path": paths, "group": [path[-6:-4] for path in paths]})
    groups.to_csv(class_folders / "groups.csv", index=False)
    manifest, _ = read_class_folders(class_folders)
    assert list(manifest["group"]) == list(groups["group"])

    groups[1:].to_csv(class_folders / "groups.csv", index=False)
    assert paths[0] in refusal(class_folders)
    groups.rename(columns={"group": "person"}).to_csv(class_folders / "groups.csv", index=False)
    assert "path and group" in refusal(class_folders)


def test_copies_and_near_copies_are_one_group(class_folders):
    original = Image.open(class_folders / "with_mask" / "00.png")
    original.resize((150, 150)).save(class_folders / "with_mask" / "larger.png")
    original.save(class_folders / "with_mask" / "compressed.jpg", quality=60)
    manifest, _ = read_class_folders(class_folders)
    group = manifest.set_index("path")["group"]
    assert group["with_mask/00.png"] == group["with_mask/larger.png"] == group["with_mask/compressed.jpg"]
    assert manifest["group"].nunique() == 24


def test_near_copies_are_counted_in_bits_and_chained():
    hashes = np.zeros((4, 4), dtype=np.uint64)
    hashes[1, 0] = 2**20 - 1  # 20 bits from the first
    hashes[2, 0] = 2**40 - 1  # 20 bits from the second, 40 from the first
    hashes[3, 0] = 2**61 - 1  # 21 bits from the third
    groups = datasets.near_copies(hashes)
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_the_same_photo_in_both_classes_is_named_and_refused_unless_allowed(class_folders, write_photo):
    copy = np.array(Image.open(class_folders / "with_mask" / "00.png"))
    write_photo(class_folders / "without_mask" / "copy.png", copy)
    message = refusal(class_folders)
    assert "with_mask/00.png" in message and "without_mask/copy.png" in message

    manifest, left_out = read_class_folders(class_folders, allow_conflicts=True)
    assert set(left_out["path"]) == {"with_mask/00.png", "without_mask/copy.png"}
    assert not set(left_out["path"]) & set(manifest["path"])
    assert len(manifest) == 23


def test_a_folder_that_does_not_exist(tmp_path):
    assert "is not a folder" in refusal(tmp_path / "nowhere")


def test_one_class_or_three(class_folders):
    (class_folders / "worn_wrong").mkdir()
    message = refusal(class_folders)
    assert "two class folders" in message and "worn_wrong" in message
    (class_folders / "worn_wrong").rmdir()
    (class_folders / "without_mask").rename(class_folders / ".hidden")
    message = refusal(class_folders)
    assert "two class folders" in message and message.endswith("Found: with_mask.")


@pytest.mark.parametrize("kept", [0, 9])
def test_an_empty_class_or_one_with_fewer_than_ten_photos(class_folders, kept):
    for path in sorted((class_folders / "without_mask").iterdir())[kept:]:
        path.unlink()
    message = refusal(class_folders)
    assert f"without_mask holds {kept} readable photos" in message and "at least 10" in message


@pytest.fixture(scope="module")
def people():
    """A manifest of 40 people with 5 photos of each class."""
    rows = [(f"{label}/{person}_{n}.jpg", label, person) for person in range(40) for label in "ab" for n in range(5)]
    return pd.DataFrame(rows, columns=["path", "label", "group"])


def test_split_keeps_groups_together_and_classes_balanced(people):
    split = people.assign(split=split_by_group(people, seed=0))
    assert no_group_on_two_sides(split)
    shares = split["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert shares["validation"] == pytest.approx(0.16, abs=0.03)
    assert shares["train"] == pytest.approx(0.64, abs=0.03)
    assert (split.groupby("split")["label"].value_counts(normalize=True) == 0.5).all()


def test_only_the_same_seed_gives_the_same_split(people):
    assert split_by_group(people, 0).equals(split_by_group(people, 0))
    assert not split_by_group(people, 0).equals(split_by_group(people, 1))


def test_folds_cover_every_photo_once_and_no_group_twice(people):
    folds = datasets.folds_by_group(people, seed=0)
    assert sorted(set(folds)) == [0, 1, 2, 3, 4]
    assert (people.assign(fold=folds).groupby("group")["fold"].nunique() == 1).all()
    assert np.bincount(folds).min() >= 0.15 * len(people)


def test_an_impossible_split_is_refused(people):
    with pytest.raises(DataError, match="at least five groups"):
        split_by_group(people[people["group"] < 4].reset_index(drop=True), seed=0)
    one_class_in_one_group = people[(people["label"] == "a") | (people["group"] == 0)].reset_index(drop=True)
    with pytest.raises(DataError, match="lacks a class"):
        split_by_group(one_class_in_one_group, seed=0)


def test_photos_are_stretched_bilinearly_and_shrunk_by_area():
    rng = np.random.default_rng(0)
    small, large, wide = (
        rng.integers(0, 256, size, dtype=np.uint8) for size in ((20, 30, 3), (90, 80, 3), (30, 90, 3))
    )
    fit = fit_to_input
    assert np.array_equal(fit(small, 64), cv2.resize(small, (64, 64), interpolation=cv2.INTER_LINEAR))
    twice = np.repeat(np.repeat(small[:, :20], 8, axis=0), 8, axis=1)  # 160 pixels: in between two and three times
    halved = cv2.resize(twice, (80, 80), interpolation=cv2.INTER_AREA)
    assert np.array_equal(fit(twice, 64), cv2.resize(halved, (64, 64), interpolation=cv2.INTER_LINEAR))
    assert np.array_equal(fit(large, 64), cv2.resize(large, (64, 64), interpolation=cv2.INTER_LINEAR))
    checkered = np.indices((640, 192)).sum(axis=0)[..., np.newaxis].repeat(3, axis=2).astype(np.uint8) % 2 * 200
    assert fit(checkered, 64).std() < 40, "no pixel is skipped, in either direction"
    assert np.array_equal(fit(wide, 64), cv2.resize(wide, (64, 64), interpolation=cv2.INTER_LINEAR))


@pytest.fixture
def ten_photos(class_folders):
    paths = sorted(class_folders.rglob("*.png"))[:10]
    return paths, np.eye(10, dtype=np.float32)


def everything(photos):
    batches = [(pixels.numpy(), targets.numpy()) for pixels, targets in photos]
    return np.concatenate([pixels for pixels, _ in batches]), np.concatenate([targets for _, targets in batches])


def test_stream_gives_the_photos_as_read_and_resized(ten_photos):
    paths, targets = ten_photos
    photos = datasets.stream(paths, targets, image_size=32, batch_size=4)
    assert [pixels.shape for pixels, _ in photos] == [(4, 32, 32, 3), (4, 32, 32, 3), (2, 32, 32, 3)]
    pixels, found = everything(photos)
    assert pixels.dtype == np.float32 and np.array_equal(found, targets)
    assert np.array_equal(pixels, [fit_to_input(read_photo(path), 32) for path in paths])


def test_stream_shuffles_differently_in_every_pass_and_its_seed_repeats_that(ten_photos):
    paths, targets = ten_photos
    photos = datasets.stream(paths, targets, 32, seed=3, shuffle=True)
    (first_pixels, first), (_, second) = everything(photos), everything(photos)
    assert not np.array_equal(first, second) and not np.array_equal(first, targets)
    assert np.array_equal(first.sum(axis=0), np.ones(10)), "every photo once"
    read = np.array([fit_to_input(read_photo(path), 32) for path in paths])
    assert np.array_equal(first_pixels, read[first.argmax(axis=1)]), "each photo keeps its own target"
    again = datasets.stream(paths, targets, 32, seed=3, shuffle=True)
    assert np.array_equal(everything(again)[1], first) and np.array_equal(everything(again)[1], second)


def test_changes_differ_between_photos_and_passes_and_the_seed_repeats_them(ten_photos):
    paths, targets = ten_photos

    def cover(photo, rng):
        return np.full_like(photo, rng.integers(256))

    photos = datasets.stream(paths, targets, 32, seed=3, change=cover)
    first, second = everything(photos)[0], everything(photos)[0]
    assert len(np.unique(first)) > 5 and not np.array_equal(first, second)
    again = datasets.stream(paths, targets, 32, seed=3, change=cover)
    assert np.array_equal(everything(again)[0], first) and np.array_equal(everything(again)[0], second)
    other = datasets.stream(paths, targets, 32, seed=4, change=cover)
    assert not np.array_equal(everything(other)[0], first)


MEASURE = """
import resource, sys
import numpy as np
from maskdet_utils import datasets
count, paths = int(sys.argv[1]), sys.argv[2:]
paths = [paths[number % len(paths)] for number in range(count)]
seen = sum(len(pixels) for pixels, _ in datasets.stream(paths, np.eye(2)[np.zeros(count, int)], 128, shuffle=True))
assert seen == count
print(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_does_not_grow_with_the_number_of_photos(sample_folder):
    paths = sorted(map(str, sample_folder.glob("*/s01_*.jpg")))
    megabytes = {}
    for count in (800, 4000):
        done = subprocess.run([sys.executable, "-c", MEASURE, str(count), *paths], capture_output=True, text=True)
        assert re.fullmatch(r"\d+\n", done.stdout), done.stderr
        megabytes[count] = int(done.stdout)
    print(f"\npeak memory while streaming: {megabytes[800]} MB for 800 photos, {megabytes[4000]} MB for 4,000")
    assert megabytes[4000] < megabytes[800] + 150  # all 4,000 at once would be 786 MB
