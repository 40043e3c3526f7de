"""Masks drawn on real photos: they follow the face, differ from one another, and change nothing else."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from maskdet_utils.photos import blur_sigma, noise_sigma
from maskdet_utils.synthesis.masks import STYLES, Style, mask_surface
from maskdet_utils.synthesis.wearing import WRONG_WAYS, draw_mask, random_style

BLUE = Style("surgical", "pleats", color=(60, 120, 220), loops=False)


def rng(seed=0):
    return np.random.default_rng(seed)


def polygon(shape, description):
    """The area inside the described outline: bool (height, width)."""
    filled = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(filled, [np.round(description["outline"]).astype(np.int32)], 1)
    return filled.astype(bool)


def top_edge(description):
    """The vector from the outline's top left corner to its top right corner."""
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


@pytest.mark.parametrize(
    ("wearing", "covered_parts"),
    [("under_nose", {"mouth", "chin"}), ("under_mouth", {"chin"}), ("chin", set()), ("one_ear", set())],
)
def test_a_mask_worn_incorrectly_leaves_at_least_the_nose_bare(photo, points, wearing, covered_parts):
    parts = {"nose": 4, "mouth": 13, "chin": 199, "right eye": 159, "left eye": 386}
    for seed in range(12):
        style = random_style(rng(seed), wearing=wearing)
        result, description = draw_mask(photo, points, style, rng(seed))
        covered = polygon(photo.shape, description)
        seen = {name for name, i in parts.items() if covered[int(points[i, 1]), int(points[i, 0])]}
        assert seen == covered_parts or (wearing == "chin" and seen == {"chin"})
        assert description["wearing"] == wearing
        assert (result != photo).any(axis=2).mean() > 0.005


def test_a_notebook_that_asks_for_a_surface_gets_only_masks_worn_correctly(points):
    with pytest.raises(ValueError, match="worn 'chin'. Use wearing.draw_mask"):
        mask_surface(points, replace(BLUE, wearing="chin"), rng())


def test_a_mask_on_one_ear_hangs_beside_the_face(photo, points):
    for seed in range(12):
        _, description = draw_mask(photo, points, random_style(rng(seed), wearing="one_ear"), rng(seed))
        x, y, width, height = description["box"]
        assert x + width < points[4, 0] or x > points[4, 0]
        assert y > points[159, 1] and description["kind"] != "gaiter"


def test_pixels_outside_the_mask_stay_identical(photo, points):
    result, description = draw_mask(photo, points, BLUE, rng())
    changed = (result != photo).any(axis=2)
    near = cv2.dilate(polygon(photo.shape, description).astype(np.uint8), np.ones((9, 9))).astype(bool)
    core = cv2.erode(polygon(photo.shape, description).astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert not (changed & ~near).any()
    assert changed[core].mean() > 0.99


def test_the_original_photo_is_not_changed(photo, points):
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


def test_color_shows(photo, points):
    for color in ((220, 40, 40), (40, 200, 40), (40, 40, 220)):
        result, description = draw_mask(photo, points, Style("cloth", "plain", color=color), rng())
        mean = result[polygon(photo.shape, description)].mean(axis=0)
        assert mean.argmax() == np.argmax(color) and np.ptp(mean) > 40


def test_the_mask_has_the_light_of_the_face(photo, points):
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


def test_patterns_differ(photo, points):
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
    brightness = [np.mean(style.color) for style in styles]
    assert min(brightness) < 50 and max(brightness) > 220
    assert np.ptp([style.height for style in styles]) > 0.7
    with pytest.raises(KeyError):
        random_style(rng(), "veil")
    assert {random_style(rng(seed), wearing="wrong").wearing for seed in range(100)} == set(WRONG_WAYS)


def test_a_face_cut_off_by_the_photos_edge(photo, points):
    for x, y in ((0, 50), (46, 0), (80, 100)):
        cropped = np.ascontiguousarray(photo[y:, x:])
        result, _ = draw_mask(cropped, points - np.float32([x, y, 0]), random_style(rng()), rng())
        assert result.shape == cropped.shape


@pytest.mark.parametrize("blur", [0.5, 1.0, 2.0])
def test_blur_and_noise_are_measured_correctly(blur):
    disc = cv2.circle(np.full((200, 200), 20, np.float32), (100, 100), 60, 200, -1)
    picture = cv2.GaussianBlur(disc, (0, 0), blur) + rng().normal(0, 3, disc.shape).astype(np.float32)
    assert blur_sigma(picture) == pytest.approx(blur, rel=0.2)
    assert noise_sigma(picture) == pytest.approx(3, rel=0.1)
