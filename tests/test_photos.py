"""Every kind of photo that people have is read correctly or refused in one sentence."""

import io
import os
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from maskdet_utils.datasets import read_class_folders
from maskdet_utils.photos import PhotoError, find_photos, is_photo, read_photo, sort_files

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


# More than 8 bits


@pytest.fixture
def slope():
    """Every level once, 0 to 1, each channel in another order: float64 (20, 30, 3)."""
    levels = np.linspace(0, 1, 600).reshape(20, 30)
    return np.dstack([levels, levels[:, ::-1], levels[::-1]])


def is_read_as(path, wanted):
    """Whether the photo has these values, 0 to 1, up to a level of 8 bits."""
    photo = read_photo(path)
    wanted = wanted if wanted.ndim == 3 else np.dstack([wanted] * 3)
    assert photo.dtype == np.uint8 and photo.shape == wanted.shape
    return np.abs(photo - 255.0 * wanted).max() <= 1.01


@pytest.mark.parametrize("ending", ["png", "tif", "jp2"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_deep_photos_are_scaled_to_what_their_values_mean(tmp_path, slope, bits, ending):
    slope = np.kron(slope, np.ones((4, 4, 1)))  # OpenCV cannot write small JPEG 2000 files
    values = np.rint(slope * (2**bits - 1)).astype(np.uint16)
    tolerance = 6 if ending == "jp2" else 1  # levels of 256, because these files are not lossless
    for name, wanted in (("color", slope), ("gray", slope[:, :, :1].repeat(3, axis=2))):
        pixels = values[:, :, ::-1] if name == "color" else values[:, :, 0]
        cv2.imwrite(str(tmp_path / f"{name}.{ending}"), pixels)
        assert np.abs(read_photo(tmp_path / f"{name}.{ending}") - 255 * wanted).max() <= tolerance


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_floating_point_photos_are_scaled_too(tmp_path, slope, top):
    values = (slope * top).astype(np.float32)
    cv2.imwrite(str(tmp_path / "color.tif"), values[:, :, ::-1])
    assert is_read_as(tmp_path / "color.tif", slope)
    Image.fromarray(values[:, :, 0]).save(tmp_path / "gray.tif")
    assert is_read_as(tmp_path / "gray.tif", slope[:, :, 0])


def test_highlights_above_white_and_missing_values_do_not_darken_a_photo(tmp_path, slope):
    values = slope.astype(np.float32)[:, :, 0]
    values[0, 0], values[0, 1], values[0, 2] = 4, np.nan, -1
    Image.fromarray(values).save(tmp_path / "gray.tif")
    photo = read_photo(tmp_path / "gray.tif")
    assert list(photo[0, :3, 0]) == [255, 0, 0] and photo[10, 15, 0] == pytest.approx(255 * slope[10, 15, 0], abs=1)


def test_eight_bits_in_a_deep_file_stay_as_they_are(tmp_path):
    values = np.arange(200, dtype=np.uint16).reshape(10, 20)
    Image.fromarray(values).save(tmp_path / "gray.png")
    assert np.array_equal(read_photo(tmp_path / "gray.png")[:, :, 0] + 0, np.rint(values).astype(np.uint8))


def test_deep_photos_are_turned_and_keep_their_transparency(tmp_path, slope):
    deep = np.rint(slope * 65535).astype(np.uint16)
    alpha = np.full((20, 30, 1), 65535, np.uint16)
    alpha[:, :15] = 0
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([deep[:, :, ::-1], alpha]))
    photo = read_photo(tmp_path / "alpha.png")
    assert (photo[:, :15] == 255).all() and np.abs(photo[:, 15:] - 255 * slope[:, 15:]).max() <= 1

    cv2.imwrite(str(tmp_path / "deep.png"), deep[:, :, ::-1])
    content = (tmp_path / "deep.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    assert "not a readable photo" in refuse_to_read(tmp_path / "cut.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif = exif.tobytes().removeprefix(b"Exif\0\0")
    import zlib

    chunk = b"eXIf" + exif
    chunk = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "turned.png").write_bytes(content[:33] + chunk + content[33:])  # after the header
    assert is_read_as(tmp_path / "turned.png", np.rot90(slope, -1))


# Colors


def profile_of(red, green, blue):
    """A color profile with these primaries (XYZ under D50) and a gamma of 2.2, as bytes."""
    xyz = lambda *values: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in values))  # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    tags = {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue), b"wtpt": xyz(0.9642, 1, 0.8249)}
    tags |= {
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"desc": b"desc" + bytes(100),
        b"cprt": b"text" + bytes(12),
    }
    table, body, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">2I", offset + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(65536 * v) for v in (0.9642, 1, 0.8249)))
    return header.ljust(128, b"\0") + table + body


DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))


def in_srgb(color):
    """What a color of Display P3 is in sRGB, computed by hand."""
    linear = np.linalg.inv(np.transpose(SRGB)) @ np.transpose(DISPLAY_P3) @ (np.array(color) / 255) ** 2.2
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055).clip(0, 1)


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg", "photo.heic", "photo.tif"])
def test_wide_colors_are_converted(tmp_path, name):
    color = (200, 120, 90)
    image = Image.new("RGB", (64, 64), color)
    options = {"quality": 95} if name.endswith(("jpg", "heic")) else {}
    save_as(image, tmp_path / name, icc_profile=profile_of(*DISPLAY_P3), **options)
    found = read_photo(tmp_path / name)[32, 32].astype(float)
    assert np.abs(in_srgb(color) - color).max() > 10 and np.abs(found - in_srgb(color)).max() < 3


def test_other_profiles_leave_the_colors_as_they_are(tmp_path, left_red_right_green):
    image = Image.fromarray(left_red_right_green)
    for profile in (profile_of(*SRGB), b"no profile", b""):
        image.save(tmp_path / "photo.png", icc_profile=profile)
        assert np.array_equal(read_photo(tmp_path / "photo.png"), left_red_right_green)
    image.convert("L").save(tmp_path / "gray.png", icc_profile=profile_of(*DISPLAY_P3))
    assert read_photo(tmp_path / "gray.png").shape == (40, 60, 3)


# Sizes


def test_large_jpegs_are_decoded_at_a_smaller_size_but_not_too_small(tmp_path):
    Image.new("RGB", (1600, 1200), RED).save(tmp_path / "large.jpg")
    height, width, _ = read_photo(tmp_path / "large.jpg", at_least=128).shape
    assert 128 <= height < 1200 and width > height


def test_photos_above_the_limit_are_read_at_half_the_size_or_refused_with_the_number(tmp_path):
    Image.new("L", (12_001, 9_000), 200).save(tmp_path / "phone.jpg")
    photo = read_photo(tmp_path / "phone.jpg")
    assert photo.shape == (4500, 6001, 3) and photo[0, 0, 0] == 200
    assert min(read_photo(tmp_path / "phone.jpg", at_least=64).shape[:2]) >= 64
    Image.new("1", (12_001, 9_000)).save(tmp_path / "phone.png")
    assert "12001×9000 pixels are 108 megapixels, but the limit is 100" in refuse_to_read(tmp_path / "phone.png")
    Image.new("L", (25_000, 20_000)).save(tmp_path / "poster.jpg")
    assert "25000×20000 pixels are 500 megapixels" in refuse_to_read(tmp_path / "poster.jpg")


# Names and formats


def save_as(image, path, **options):
    if path.suffix in (".heic", ".heif", ".hif"):
        import pillow_heif

        pillow_heif.from_pillow(image).save(path, **options)
    else:
        formats = {".jpe": "JPEG", ".jfif": "JPEG", ".jp2": "JPEG2000", ".j2k": "JPEG2000", ".avif": "AVIF"}
        image.save(path, format=formats.get(path.suffix), **options)


MORE = ["photo.heic", "photo.HEIC", "photo.heif", "photo.avif", "photo.jp2", "photo.jfif", "photo.jpe", "photo.JPE"]


@pytest.mark.parametrize("name", MORE)
def test_what_phones_and_browsers_save_is_found_and_read(tmp_path, left_red_right_green, name):
    save_as(Image.fromarray(left_red_right_green), (tmp_path / name.lower()))
    (tmp_path / name.lower()).rename(tmp_path / name)
    assert find_photos(tmp_path) == [tmp_path / name]
    photo = read_photo(tmp_path / name)
    assert photo.shape == (40, 60, 3)
    assert np.abs(photo[20, 10].astype(int) - RED).max() < 12 and np.abs(photo[20, 50].astype(int) - GREEN).max() < 12
    with open(tmp_path / name, "rb") as file:
        assert np.array_equal(read_photo(file), photo)


@pytest.mark.parametrize("ending", ["heic", "avif", "jp2", "png", "webp", "gif"])
@pytest.mark.parametrize("name", ["photo.jpg", "photo", "photo.jpg_large", "photo.download"])
def test_the_content_says_what_it_is_not_the_name(tmp_path, left_red_right_green, ending, name):
    save_as(Image.fromarray(left_red_right_green), tmp_path / f"real.{ending}")
    (tmp_path / f"real.{ending}").rename(tmp_path / name)
    assert find_photos(tmp_path) == [tmp_path / name]
    assert read_photo(tmp_path / name).shape == (40, 60, 3)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf<html lang='de'>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\0\0\0 ftypisom\0\0\2\0", "a video"),
        (b"%PDF-1.7", "a PDF document"),
        (b"hello", "cannot identify image file 'photo.jpg'"),
    ],
)
def test_what_is_called_a_photo_but_is_something_else_is_named(tmp_path, content, words):
    (tmp_path / "photo.jpg").write_bytes(content)
    message = refuse_to_read(tmp_path / "photo.jpg")
    assert message.startswith("not a readable photo (") and words in message and str(tmp_path) not in message


def test_a_folder_is_not_a_photo(tmp_path):
    assert "not a readable photo (" in refuse_to_read(tmp_path)


def test_the_decoder_for_phones_is_not_imported_without_need(tmp_path, left_red_right_green):
    Image.fromarray(left_red_right_green).save(tmp_path / "photo.jpg")
    code = f"import sys; from maskdet_utils.photos import read_photo; read_photo({str(tmp_path / 'photo.jpg')!r}); "
    done = subprocess.run([sys.executable, "-c", code + "print('pillow_heif' in sys.modules)"], capture_output=True)
    assert done.stdout.split() == [b"False"], done.stderr


def test_what_is_not_a_photo_is_listed_and_clutter_is_not(tmp_path):
    names = ["b.jpg", "a/film.mp4", "a/notes.txt", "list.csv"]
    for name in [*names, "Thumbs.db", ".DS_Store", "__MACOSX/b.jpg", "a/desktop.ini", "a/._c.jpg", "@eaDir/b.jpg"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    photos, others = sort_files(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in photos] == ["b.jpg"]
    assert [path.relative_to(tmp_path).as_posix() for path in others] == ["a/film.mp4", "a/notes.txt", "list.csv"]


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="needs a user who may not open everything")
def test_a_closed_folder_is_listed(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert sort_files(tmp_path) == ([], [tmp_path / "closed"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_a_pipe_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert sort_files(tmp_path) == ([], [tmp_path / "pipe", tmp_path / "pipe.jpg"])


def test_a_film_is_no_photo(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0 ftypisom\0\0\2\0isomiso2avc1mp41")
    assert not is_photo(tmp_path / "film.mp4") and not is_photo(tmp_path / "nowhere")


def test_photos_are_found_by_extension_and_sorted(tmp_path):
    for name in ("b/2.PNG", "b/1.jpg", "a.jpeg", "notes.txt", ".hidden/3.jpg", "b/.4.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in find_photos(tmp_path)]
    assert found == ["a.jpeg", "b/1.jpg", "b/2.PNG"]


def test_damaged_bytes_are_refused_like_a_damaged_file():
    with pytest.raises(PhotoError, match="not a readable photo"):
        read_photo(io.BytesIO(b"no photo"))
