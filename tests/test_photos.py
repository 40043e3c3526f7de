"""Every kind of photo that people have is read correctly or refused in one sentence."""

import io

import numpy as np
import pytest
from PIL import Image

from maskdet_utils.datasets import read_class_folders
from maskdet_utils.photos import PhotoError, find_photos, read_photo

RED, GREEN = (220, 30, 40), (20, 200, 60)


@pytest.fixture
def left_red_right_green():
    pixels = np.empty((40, 60, 3), dtype=np.uint8)
    pixels[:, :30], pixels[:, 30:] = RED, GREEN
    return pixels


def refuse_to_read(path):
    with pytest.raises(PhotoError) as error:
        read_photo(path)
    return str(error.value)


def make_bad_photos(folder):
    """Make one unusable file of each kind. Gives name → words of the reason."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 80), RED).save(folder / "whole.jpg")
    content = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    (folder / "text.jpg").write_text("this is no photo")
    Image.new("RGB", (1, 1)).save(folder / "one_pixel.png")
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png")
    return {
        "empty.jpg": "empty file",
        "truncated.jpg": "not a readable photo",
        "text.jpg": "not a readable photo",
        "one_pixel.png": "too few",
        "huge.png": "megapixels",
    }


def test_bad_files_are_refused_with_a_reason(tmp_path):
    for name, reason in make_bad_photos(tmp_path).items():
        message = refuse_to_read(tmp_path / name)
        assert reason in message
        assert "\n" not in message and str(tmp_path) not in message
    assert "no such file" in refuse_to_read(tmp_path / "nowhere.jpg")


def test_a_folder_with_bad_files_is_read_and_lists_them_by_name(class_folders):
    bad = make_bad_photos(class_folders / "with_mask")
    manifest, left_out = read_class_folders(class_folders)
    assert len(manifest) == 24
    assert set(left_out["path"]) == {f"with_mask/{name}" for name in bad}
    for path, reason in zip(left_out["path"], left_out["reason"], strict=True):
        assert bad[path.split("/")[1]] in reason


def test_color_photos_keep_their_colors(tmp_path, left_red_right_green):
    Image.fromarray(left_red_right_green).save(tmp_path / "photo.png")
    assert np.array_equal(read_photo(tmp_path / "photo.png"), left_red_right_green)


def test_gray_photos_get_three_equal_channels(tmp_path):
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    photo = read_photo(tmp_path / "gray.png")
    assert photo.shape == (16, 16, 3) and photo.dtype == np.uint8
    assert all(np.array_equal(photo[..., channel], gray) for channel in range(3))


def test_transparent_pixels_become_white(tmp_path, left_red_right_green):
    alpha = np.full((40, 60, 1), 255, dtype=np.uint8)
    alpha[:, :30] = 0
    Image.fromarray(np.dstack([left_red_right_green, alpha])).save(tmp_path / "alpha.png")
    photo = read_photo(tmp_path / "alpha.png")
    assert (photo[:, :30] == 255).all() and (photo[:, 30:] == GREEN).all()


def test_sixteen_bits_become_eight_without_clipping(tmp_path):
    values = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)
    Image.fromarray(values).save(tmp_path / "deep.png")
    photo = read_photo(tmp_path / "deep.png")
    assert photo.shape == (20, 20, 3)
    assert np.abs(photo[..., 0].astype(int) - values // 257).max() <= 1


def test_cmyk_becomes_rgb(tmp_path, left_red_right_green):
    Image.fromarray(left_red_right_green).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    photo = read_photo(tmp_path / "print.jpg")
    assert photo.shape == (40, 60, 3)
    assert np.abs(photo[20, 10].astype(int) - RED).max() < 12
    assert np.abs(photo[20, 50].astype(int) - GREEN).max() < 12


@pytest.mark.parametrize("name", ["palette.png", "palette.gif", "photo.bmp", "photo.webp", "photo.tif"])
def test_other_formats_are_read(tmp_path, left_red_right_green, name):
    image = Image.fromarray(left_red_right_green)
    (image.quantize(16) if "palette" in name else image).save(tmp_path / name)
    photo = read_photo(tmp_path / name)
    assert np.abs(photo[20, 10].astype(int) - RED).max() < 12


def test_photos_are_turned_upright(tmp_path, left_red_right_green):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me a quarter to the right"
    Image.fromarray(left_red_right_green).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    photo = read_photo(tmp_path / "turned.jpg")
    assert photo.shape == (60, 40, 3)
    assert photo[10, 20, 0] > photo[10, 20, 1], "what was on the left is now on top"
    assert photo[50, 20, 1] > photo[50, 20, 0]


def test_large_jpegs_are_decoded_at_a_smaller_size_but_not_too_small(tmp_path):
    Image.new("RGB", (1600, 1200), RED).save(tmp_path / "large.jpg")
    height, width, _ = read_photo(tmp_path / "large.jpg", at_least=128).shape
    assert 128 <= height < 1200 and width > height


def test_photos_are_found_by_extension_and_sorted(tmp_path):
    for name in ("b/2.PNG", "b/1.jpg", "a.jpeg", "notes.txt", ".hidden/3.jpg", "b/.4.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in find_photos(tmp_path)]
    assert found == ["a.jpeg", "b/1.jpg", "b/2.PNG"]


def test_damaged_bytes_are_refused_like_a_damaged_file():
    with pytest.raises(PhotoError, match="not a readable photo"):
        read_photo(io.BytesIO(b"no photo"))
