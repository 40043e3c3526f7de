"""Views of street faces for training, from a made-up collection without people."""

import cv2
import numpy as np
import pandas as pd
import pytest

from maskdet_utils import street, street_views
from maskdet_utils.street_views import CLASSES, UNDECIDED, VIEWS

BOX = (100, 80, 60, 80)  # of the "face": a bright ellipse with a dark upper half in a gray crop


@pytest.fixture
def crop():
    picture = np.full((240, 260, 3), 90, np.uint8)
    x, y, width, height = BOX
    cv2.ellipse(picture, (x + width // 2, y + height // 2), (width // 2, height // 2), 0, 0, 360, (250, 250, 250), -1)
    cv2.ellipse(picture, (x + width // 2, y + height // 2), (width // 2, height // 2), 0, 180, 360, (200, 20, 20), -1)
    return picture


@pytest.fixture
def collection(tmp_path, crop, monkeypatch):
    """A fetched collection of four faces, one of them from a man's many selfies."""
    folder = tmp_path / "street"
    (folder / "crops").mkdir(parents=True)
    rows = []
    for number, (label, group) in enumerate(
        [("with_mask", "a"), ("without_mask", "a"), ("worn_incorrectly", "b"), ("without_mask", "maksssksksss10")]
    ):
        cv2.imwrite(str(folder / "crops" / f"photo_{number}.jpg"), crop[..., ::-1])
        rows.append([f"crops/photo_{number}.jpg", label, "photo", group, "", *BOX, "0"])
    columns = ["path", "label", "photo", "group", "remark", "x", "y", "width", "height", "sha256"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / street.FACES, index=False)
    monkeypatch.setattr(street, "fetch", lambda: folder)
    return folder


def middle_of(view, color):
    """The middle of the pixels of about this color, as fractions of the view."""
    rows, columns = np.nonzero((np.abs(view.astype(int) - color) < 40).all(axis=2))
    return np.array([columns.mean() / view.shape[1], rows.mean() / view.shape[0]])


def test_a_view_shows_the_whole_face_in_another_frame_each_time(crop):
    views = [street_views.cut_view(crop, BOX, np.random.default_rng(seed)) for seed in range(40)]
    for view in views:
        assert view.dtype == np.uint8 and max(view.shape) <= street_views.MAX_SIDE
        assert 0.15 < (view != 90).any(axis=2).mean() < 0.7, "the face and some of what is around it"
        top, bottom = middle_of(view, (200, 20, 20)), middle_of(view, (250, 250, 250))
        assert top[1] < bottom[1], "it is upright"
        assert np.abs((top + bottom) / 2 - 0.5).max() < 0.25
    assert len({view.tobytes() for view in views}) == 40
    assert np.ptp([middle_of(view, (250, 250, 250))[0] for view in views]) > 0.1


@pytest.mark.parametrize(("turned", "axis"), [(90, 0), (180, 1), (270, 0)])
def test_a_turned_view_shows_the_face_on_its_side_or_upside_down(crop, turned, axis):
    for seed in range(20):
        view = street_views.cut_view(crop, BOX, np.random.default_rng(seed), turned)
        top, bottom = middle_of(view, (200, 20, 20)), middle_of(view, (250, 250, 250))
        apart = abs(top - bottom)
        assert apart[axis] > apart[1 - axis]
        assert view.shape[1 - axis] > view.shape[axis], "the frame lies on its side, too"
        if axis:  # half of the views are mirrored, so that left and right say nothing
            assert top[axis] > bottom[axis]


def test_a_large_face_is_shrunk_and_a_small_one_keeps_its_pixels(crop):
    large = street_views.cut_view(np.repeat(np.repeat(crop, 4, 0), 4, 1), np.array(BOX) * 4, np.random.default_rng(0))
    small = street_views.cut_view(crop, (120, 100, 16, 20), np.random.default_rng(0))
    assert max(large.shape) == street_views.MAX_SIDE and 20 < max(small.shape) < 40


def test_rare_states_get_more_views_and_one_mans_selfies_fewer(collection, tmp_path):
    files, targets = street_views.draw(tmp_path / "views", seed=0)
    assert targets.dtype == np.float32 and targets.shape == (len(files), 3)
    counts = pd.Series([file.rsplit("/", 1)[1].rsplit("_", 1)[0] for file in files]).value_counts() - 1  # one is turned
    of_selfie = round(VIEWS["without_mask"] / 5)
    expected = [VIEWS["with_mask"], VIEWS["without_mask"], VIEWS["worn_incorrectly"], of_selfie]
    assert [counts[f"photo_{number}"] for number in range(4)] == expected
    assert (targets == UNDECIDED).all(axis=1).sum() == 4
    for number, label in enumerate(["with_mask", "without_mask", "worn_incorrectly"]):
        of_face = [target for file, target in zip(files, targets, strict=True) if f"photo_{number}_" in file]
        assert (np.array(of_face)[:-1].argmax(axis=1) == CLASSES.index(label)).all()
    assert all(cv2.imread(file) is not None for file in files)


def test_the_same_seed_gives_the_same_views(collection, tmp_path):
    def contents(name, seed):
        return [cv2.imread(file).tobytes() for file in street_views.draw(tmp_path / name, seed)[0]]

    first = contents("first", 1)
    assert contents("again", 1) == first != contents("other", 2)


def test_their_feature_maps_go_to_the_end_of_the_training_set(collection, tmp_path):
    from maskdet_utils import fine_tuning, model

    lower, _ = fine_tuning.split_base(model.build_base(32), "block_9_add")
    maps, targets = np.zeros((5, *lower.output_shape[1:]), np.float16), np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    all_maps, all_targets = street_views.add(lower, maps, targets, CLASSES, folder=tmp_path / "views", seed=0)
    n_views = sum(VIEWS.values()) + round(VIEWS["without_mask"] / 5) + 4
    assert all_maps.shape == (5 + n_views, *maps.shape[1:]) and all_maps.dtype == np.float16
    assert np.array_equal(all_targets[:5], targets) and (all_maps[5:] != 0).any(axis=(1, 2, 3)).all()

    _, of_two = street_views.add(lower, maps, targets[:, :2], CLASSES[:2], folder=tmp_path / "two", seed=0)
    assert np.array_equal(of_two[5:, 0], all_targets[5:, 0]), "worn incorrectly is not with a mask"
    assert np.allclose(of_two[5:].sum(axis=1), 1)
    with pytest.raises(ValueError, match="have the classes with_mask, without_mask, worn_incorrectly, not cat, dog"):
        street_views.add(lower, maps, targets, ["cat", "dog"], folder=tmp_path / "none", seed=0)
