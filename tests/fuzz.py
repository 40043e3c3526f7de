"""Random input for all that reads other people's files: `make fuzz`, or `python tests/fuzz.py --help`.

Each input gives a valid value or one of our own errors with a sentence for people, in seconds and with little memory, and
changes no file. Hypothesis makes the inputs, and the shortest one for each fault. It is printed, and it stays in
`build/fuzz/`, so that the next run tries it first. To keep it for good, add it to `FOUND`, or a row to `faults/rows.py`.
"""

import argparse
import contextlib
import faulthandler
import functools
import io
import itertools
import json
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from unittest import mock
from xml.sax.saxutils import escape

import numpy as np
import yaml
from conftest import ROOT, OneFace, film

os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(ROOT / "build" / "hypothesis")
import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

sys.path.append(str(ROOT / "tests" / "faults"))
from rows import COCO, CORNERS, GOOD, HEADER, LAUGHS, VOC
from running import NEVER, contents

from maskdet_utils import classifier, cli, datasets, environment, layouts, photos, pipeline
from maskdet_utils.evaluate import annotations
from maskdet_utils.live import capture, video, webcam

INPUT = ROOT / "build" / "fuzz" / "input.txt"  # what is tried now
SECONDS = 30  # for one input, on a busy machine
MEMORY = 6 * 2**30  # bytes of addresses beyond those of the libraries: ten times a photo of 100 megapixels
TAGS = [f"!!{tag} " for tag in "int float bool timestamp binary set omap null pairs".split()] + ["", "&a ", "- *a\n- "]

# What a strategy draws

NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 2**31, 2**63, 10**400, 1e308]))
ODD = ["", "\x1b[2J", "\n", "\ud800", "\0", "x" * 3000, "../a", "nan"]
TEXTS = st.text(max_size=20) | st.sampled_from(ODD)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
PLACES = st.integers(0, 80) | st.integers(0, 1 << 20)  # headers are more interesting than pixels
SIDES = [0, 1, 7, 9, 255, 9999, 0x7FFF, 0xFFFF, 10**5, 2**31, 2**32 - 1]
SIZES = [n.to_bytes(8, order)[slice_] for n in SIDES for order, slice_ in (("big", slice(4, 8)), ("little", slice(4)))]


class Damaged(NamedTuple):
    """A file, by its name in `pictures()` or as bytes, and what is done to it.

    A change is a place, how many bytes are left out there, and what is put there: bytes, or the rest of another file.
    """

    base: str | bytes
    changes: list[tuple[int, int, bytes | str]] = []
    sums: bool = False  # whether the checksums of a PNG are right again

    def content(self) -> bytes:
        content = pictures()[self.base] if isinstance(self.base, str) else self.base
        for place, gone, new in self.changes:
            place %= len(content) + 1
            new = pictures()[new][place:] if isinstance(new, str) else new
            content = content[:place] + new + content[place + gone :]
        return right_sums(content) if self.sums else content


def right_sums(png: bytes) -> bytes:
    """A PNG with the checksums that its chunks need, so that a damaged one gets past the first check."""
    png, place = bytearray(png), 8
    while place + 12 <= len(png):
        end = place + 8 + int.from_bytes(png[place : place + 4], "big")
        png[end : end + 4] = struct.pack(">I", zlib.crc32(png[place + 4 : end])) if end + 4 <= len(png) else png[end:]
        place = end + 4
    return bytes(png)


@functools.cache
def pictures() -> dict[str, bytes]:
    """Photos, animations, and videos in all formats, made of a random picture of 40×30 pixels."""
    import cv2
    import pillow_heif
    from PIL import Image, ImageCms

    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((5, 5, 1))).astype(np.uint8)
    image, made = Image.fromarray(pixels), {}
    frames = [Image.fromarray(np.roll(pixels, step, 1)) for step in range(1, 4)]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    pillow_heif.register_heif_opener()

    def save(name, picture, **options):
        stream = io.BytesIO()
        picture.save(stream, Image.registered_extensions()[Path(name).suffix], **options)
        made[name] = stream.getvalue()

    for name in ("a.jpg", "a.png", "a.gif", "a.webp", "a.tif", "a.bmp", "a.heic", "a.avif", "a.jp2", "a.pgm"):
        save(name, image)
    save("exif.jpg", image, exif=exif, icc_profile=profile, progressive=True)
    save("cmyk.jpg", image.convert("CMYK"))
    save("palette.png", image.convert("P"), transparency=3)
    save("exif.png", image.convert("RGBA"), exif=exif, icc_profile=profile)
    for kind in ("tiff_lzw", "jpeg", "tiff_adobe_deflate"):
        save(f"{kind}.tif", image, compression=kind)
    for name in ("film.gif", "film.webp", "film.png", "film.avif", "film.tif"):
        save(name, image, save_all=True, append_images=frames)
    deep, fractions = pixels.astype(np.uint16) * 257, np.float32(pixels)
    for name, values in (("deep.png", deep), ("deep.tif", deep), ("float.tif", fractions), ("a.hdr", fractions)):
        made[name] = cv2.imencode(Path(name).suffix, values)[1].tobytes()
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in {"f.mp4": "libx264", "f.mkv": "libvpx", "f.avi": "mpeg4", "f.mjpeg": "mjpeg"}.items():
            colors, sound = "yuvj420p" if codec == "mjpeg" else "yuv420p", "aac" if name == "f.mp4" else None
            made[name] = film(Path(folder) / name, codec, colors, sound, np.arange(8) / 25).read_bytes()
    return made


def damaged(*bases, most=6):
    """Draws a file that is damaged in some places, or not at all."""
    new = st.one_of(st.binary(max_size=8), st.sampled_from(SIZES), st.sampled_from(sorted(pictures())))
    change = st.tuples(PLACES, st.sampled_from([0, 1, 2, 4, 8, 1 << 20]), new)
    return st.builds(Damaged, st.one_of(*bases), st.lists(change, max_size=most), st.booleans())


def mostly(usual, odd):
    """Draws what is usual five times out of six."""
    return st.integers(0, 5).flatmap(lambda number: usual if number else odd)


def rendered(texts):
    """Draws a text of a certain format as a file, sometimes damaged."""
    files = texts.map(lambda text: text.encode(errors="surrogatepass"))
    return mostly(files.map(Damaged), damaged(files, st.binary(max_size=60), most=3))


def altered(good, **others):
    """Draws a dict in which up to two entries are arbitrary or missing."""
    keys = st.sampled_from(sorted(good))
    entry = keys.flatmap(lambda key: st.tuples(st.just(key), others.get(key, VALUES) | VALUES))
    made = st.lists(entry, max_size=2).map(lambda entries: good | dict(entries))
    return made | st.builds(lambda one, key: {name: one[name] for name in one if name != key}, made, keys)


# What is tried

TARGETS: dict[str, tuple] = {}
COUNTS: Counter = Counter()
HEARD = tempfile.TemporaryFile()  # standard error, while inputs are tried


def target(share, strategy):
    """Adds a function to `TARGETS` that tries an input in an empty folder. `share` of all inputs, in percent, are for it."""
    return lambda check: TARGETS.setdefault(check.__name__, (share, strategy, check))[2]


@contextlib.contextmanager
def trial(reader, folder, *errors, name=None):
    """What is done inside gives a valid value or raises one of `errors`, which names the thing, and changes no file."""
    before, outcome = contents(folder), "accepted"
    try:
        yield
    except errors as error:
        message, outcome = cli._in_words(error).replace(str(folder), "FOLDER"), "refused"
        assert message.isprintable(), message
        assert len(message) <= environment.LONGEST_MESSAGE, message
        assert not any(words in message for words in NEVER), message
        assert name is None or isinstance(error, photos.PhotoError) or name in message, message
    assert contents(folder) == before, "a file has changed"
    sys.stderr.flush()
    HEARD.seek(0)
    lines = HEARD.read().decode(errors="replace").splitlines()
    HEARD.seek(0)
    HEARD.truncate()
    assert all(name and name in line for line in lines), lines
    COUNTS[reader, outcome] += 1


def check_pixels(pixels):
    """A photo or frame is RGB uint8 everywhere in the package, and not too large."""
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert 0 < pixels.shape[0] * pixels.shape[1] <= photos.MAX_PIXELS


STILLS = damaged(st.sampled_from([name for name in pictures() if not name.startswith("f.")]))
FILMS = damaged(st.sampled_from([name for name in pictures() if name.startswith("f")] + ["a.gif", "exif.png"]))


@target(30, st.tuples(STILLS, st.booleans(), st.sampled_from([None, 8, 64])))
def photo(drawn, folder):
    file, as_path, at_least = drawn
    (folder / "p.jpg").write_bytes(file.content())
    with trial("photo", folder, photos.PhotoError):
        pixels = photos.read_photo(folder / "p.jpg" if as_path else io.BytesIO(file.content()), at_least)
        check_pixels(pixels)


@target(15, st.tuples(FILMS, st.sampled_from(["p.mp4", "p.gif", "p", "p.mjpeg"])))
def opener(drawn, folder):
    file, name = drawn
    (folder / name).write_bytes(file.content())
    with trial("opener", folder, capture.VideoError, photos.PhotoError, name=name):
        source = video.open_source(str(folder / name))
        assert 0 < source.rate <= 1000 and (source.count is None or source.count > 0)
        with contextlib.closing(source.frames):
            last = -1.0
            for place, frame in itertools.islice(source.frames, 50):
                check_pixels(frame)
                if frame.size > 10**7:  # more of these take minutes
                    break
                if source.kind == "video":
                    assert last < place.seconds < 1e7 and 0 < place.lasts < 1e7
                    last = place.seconds


@functools.cache
def panel():
    """A panel whose camera does not exist, and whose sample clip starts at once."""
    detector = OneFace()
    detector.threshold, detector.milliseconds, detector.choose_faces = 0.5, {}, str
    made = webcam.CameraPanel(detector=detector, camera=99)
    made.send = lambda content, buffers=None: made.sent.append(content)
    return made


MESSAGES = st.fixed_dictionaries(
    {"view": st.sampled_from("abcdefghijkl") | VALUES, "type": st.sampled_from(["photo", "frame", "next", "stop", ""])},
    optional={"number": VALUES, "sent": NUMBERS | VALUES, "source": st.just("opencv") | VALUES},
)


@target(15, st.tuples(MESSAGES | VALUES, st.lists(STILLS, max_size=2)))
def messages(drawn, folder):
    message, buffers = drawn
    panel().sent = []
    clip = mock.patch.object(webcam, "_sample_clip", lambda: (pictures()["a.jpg"] for _ in itertools.count()))
    with trial("messages", folder, cli.SaidError), clip:
        panel()._receive(None, message, [memoryview(buffer.content()) for buffer in buffers])
        for answer in panel().sent:
            assert answer["view"] == message["view"] and answer.get("final") in (None, "no camera"), answer
            if "error" in answer:
                raise cli.SaidError(answer["error"])  # so that `trial` looks at it
            assert answer["faces"]


CONFIG = GOOD | {"unsure": [0.4, 0.6], "mask_class": "with_mask", "sha256": "0" * 64}


@target(10, rendered(mostly(altered(CONFIG), VALUES).map(json.dumps)))
def labels(drawn, folder):
    (folder / "labels.json").write_bytes(drawn.content())
    with trial("labels", folder, classifier.ClassifierError, name="labels.json"):
        config = classifier.read_config(folder)
        names, mask_class = classifier.by_meaning(config["classes"], config.get("mask_class"))
        assert sorted(names) == sorted(config["classes"]) and mask_class in (None, names[0])
        assert 0 < config["threshold"] < 1 and 8 <= config["input_size"] <= 1024 and 0 <= config["crop_margin"] <= 2


NAMES = mostly(st.sampled_from(["a.jpg", "b.png", "../photos/in/b.png", "C:\\x\\a.jpg", "with_mask"]), TEXTS)
LABELS = mostly(st.sampled_from(["with_mask", "without_mask", "Mask", "no mask", "0"]), TEXTS)
ODD_CELLS = st.sampled_from(["1,5", "", "-1", "1e9", "nan", "inf"]) | NUMBERS.map(str) | TEXTS
CELLS = mostly(st.sampled_from(["1", "30", "0.5"]), ODD_CELLS)
HEADERS = st.just(HEADER.strip()) | st.lists(CELLS | st.sampled_from(HEADER.strip().split(",")), max_size=7).map(
    ",".join
)
ROWS = st.lists(st.tuples(NAMES, LABELS, CELLS, CELLS, CELLS, CELLS).map(",".join), max_size=4)
CSV = st.builds(lambda header, rows: "\n".join([header, *rows]), HEADERS, ROWS)
CSV = CSV | CSV.map(lambda text: text.replace(",", ";"))
ENTRIES = {"file_name": NAMES, "name": LABELS, "bbox": st.lists(NUMBERS | CELLS, max_size=5)}
LISTS = {key: st.lists(altered(value[0], **ENTRIES), max_size=3) for key, value in COCO.items()}
XML = st.builds(
    lambda name, label, *corners: (
        VOC.format(CORNERS.format(*corners)).replace("mask.pgm", name).replace("mask<", label)
    ),
    *[texts.map(escape) for texts in (NAMES, LABELS.map("{}<".format) | st.just("mask<"), CELLS, CELLS)],
)
YOLO = st.lists(st.lists(CELLS, min_size=5, max_size=6).map(" ".join), max_size=3).map(
    lambda lines: "\n".join(["0 0.5 0.5 0.1 0.1", *lines])
)
ODD_YAML = st.sampled_from(["&a [*a]", "2020-99-99", "? [a]\n: b", "<<: 1", "%YAML 9", "0o7", "1:2:3"])
YAML = st.builds(
    str.__add__, st.sampled_from(TAGS), CELLS | ODD_YAML | VALUES.map(json.dumps) | VALUES.map(yaml.safe_dump)
)
CLASSES = {
    "classes.txt": rendered(st.lists(LABELS, max_size=3).map("\n".join)),
    "data.yaml": rendered(YAML.map("names: {}".format)),
}
BOXES = st.one_of(
    st.fixed_dictionaries({"b.csv": rendered(CSV)}),
    st.fixed_dictionaries({"b.json": rendered(mostly(altered(COCO, **LISTS), VALUES).map(json.dumps))}),
    st.fixed_dictionaries({"a.xml": rendered(XML)}, optional={"b.xml": rendered(XML)}),
    st.fixed_dictionaries({"a.txt": rendered(YOLO)}, optional=CLASSES),
)


def three_photos(folder):
    """Makes files that are called photos; nothing here opens them."""
    for name in ("a.jpg", "in/b.png", "with_mask.pgm"):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / name).touch()
    (folder / "marked").mkdir()
    return folder / "photos"


@target(15, BOXES)
def boxes(drawn, folder):
    home = three_photos(folder)
    for name, file in drawn.items():
        (folder / "marked" / name).write_bytes(file.content())
    only = next(iter(drawn))
    source = folder / "marked" / (only if only in ("b.csv", "b.json") else "")
    with trial("boxes", folder, datasets.DataError, name="marked"):
        found = annotations.read_annotations(source, home, layouts.MASK_CLASSES)
        for name in found.boxes:
            corners, labels = found.of_photo(name, (30, 40, 3))
            assert len(corners) == len(labels) and np.isfinite(corners).all() and (corners[:, 2:] > 0).all()


GROUPS = st.builds(
    lambda header, first, lines: "\n".join([header, first, *map(",".join, lines)]),
    st.sampled_from(["path,group", "path;source_photo", "path,group,split,exclude", "group,path,x", ""]),
    st.sampled_from(["a.jpg,1", "a.jpg;1", "photos/a.jpg,1,train,", "in/b.png,1,val,blurred", ""]),
    st.lists(st.lists(NAMES | LABELS | CELLS | st.sampled_from(["train", "test"]), max_size=5), max_size=4),
)


@target(5, rendered(GROUPS))
def groups(drawn, folder):
    home = three_photos(folder)
    (folder / "photos" / "groups.csv").write_bytes(drawn.content())
    with trial("groups", folder, datasets.DataError, name="groups.csv"):
        listed, left_out, _ = datasets.list_photos(home)
        assert all(row["split"] in (None, *layouts.SETS) for row in listed) and all(row["reason"] for row in left_out)
        table, column = datasets.read_groups(home / "groups.csv", home, ["a.jpg"])
        assert len(table) == 1 and type(table["group"][0]) is str and column in ("group", "source_photo")


PARAMETERS = st.sampled_from(["seed", "image_size", "classes", "learning_rate", "dataset", "run_dir"]) | TEXTS
PROFILES = st.dictionaries(PARAMETERS, VALUES, max_size=2).map(yaml.safe_dump) | YAML
DEFAULTS = {name: pipeline.parameters_of(ROOT / "notebooks" / f"{name}.ipynb") for name in pipeline.PIPELINE}


@target(5, st.tuples(st.just(Damaged(b"epochs: 1\n")) | rendered(PROFILES), PARAMETERS, YAML | CELLS))
def parameters(drawn, folder):
    profile, name, value = drawn
    (folder / "pyproject.toml").touch()
    (folder / "params").mkdir()
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    (folder / "params" / "p.yaml").write_bytes(profile.content())
    quick = mock.patch.object(pipeline, "parameters_of", lambda notebook: DEFAULTS[notebook.stem])  # it takes its time
    with trial("parameters", folder, pipeline.RunError), contextlib.chdir(folder), quick:
        found = pipeline.read_parameters("p", {name: pipeline.read_yaml(value, name)})
        assert 32 <= found.get("image_size", 32) <= 1024 and found.get("classes", 2) in (2, 3)


FOLDERS = (LABELS | st.sampled_from(["train", "Test", "WithMask", "mask.", "\u0130"])).map(
    lambda name: name.encode(errors="replace").decode()[:60].replace("/", "").replace("\0", "").strip(".") or "x"
)


@target(5, st.lists(st.lists(FOLDERS, min_size=1, max_size=3).map("/".join), max_size=5))
def class_folders(drawn, folder):
    for name in drawn:
        (folder / "d" / name).mkdir(parents=True, exist_ok=True)
    with trial("class_folders", folder, datasets.DataError, name="d"):
        found, notes = layouts.class_folders(folder / "d")
        assert all(one.path.is_dir() and one.split in (None, *layouts.SETS) for one in found)
        assert len(datasets.two_classes(folder / "d")) == 2


# What found a fault once

STRANGE = [LAUGHS, "0x" + "f" * 5000, "!!timestamp x", "!!bool x", "!!int ''", "[" * 3000]
FOUND = {
    "photo": [
        (Damaged("float.tif", [(14418, 2, b"\xff\xff"), (14430, 2, b"\xff\xff")]), True, None),  # 50 GB
        (Damaged("float.tif"), False, None),
        (Damaged("deep.png", [(41, 1, b"y")]), True, None),
    ],
    "opener": [
        (Damaged("f.avi", [(169, 0, b"\0")]), "p.mp4"),  # a codec that does not exist
        (Damaged("film.gif", [(8, 0, b"\0\0\0\t")]), "p.mp4"),  # a picture without its palette
        (Damaged("film.tif"), "p.mjpeg"),  # side data that PyAV does not know
        (Damaged("exif.png"), "p.mjpeg"),  # side data that PyAV frees twice
        (Damaged("film.gif", [(1383, 4, b"\xff\xff\xff\xff")]), "p.gif"),  # the second picture is larger
        (Damaged("film.tif", [(140, 1 << 20, b"")]), "p.mp4"),
        (Damaged("film.tif", [(2, 1, b"+")]), "p.gif"),
    ],
    "messages": [({"view": "a", "type": "frame", "sent": 10**400}, [])],
    "boxes": [
        {"b.csv": Damaged(HEADER.encode())},
        {"a.txt": Damaged(b"0 .5 .5 .1 .1\n1,5 1 1 1 1"), "classes.txt": Damaged("a.avif")},
    ],
    "groups": [Damaged(b"path,group\n,1\n"), Damaged(b"path,group\na.jpg,\n")],
    "parameters": [
        (Damaged(b"\xff"), "seed", "1"),
        (Damaged(b"epochs: 1"), "\x1f", "1"),
        *((Damaged(b""), "seed", value) for value in STRANGE),
    ],
}


def run(name, count, seed=0, out=None):
    """Try `count` inputs. Raises an error for the shortest input with a fault. With `out`, one that hangs ends Python."""
    _, strategy, check = TARGETS[name]

    def one(drawn):
        INPUT.write_text(repr((name, drawn)), errors="backslashreplace")
        if out:
            faulthandler.dump_traceback_later(SECONDS, exit=True, file=out)
        with tempfile.TemporaryDirectory() as folder:
            check(drawn, Path(folder))

    INPUT.parent.mkdir(parents=True, exist_ok=True)
    one.__qualname__ = one.__module__ = name  # by which Hypothesis finds the faults of an earlier run
    tried = hypothesis.given(strategy)(one)
    for drawn in FOUND.get(name, []):
        tried = hypothesis.example(drawn)(tried)
    database, checks = DirectoryBasedExampleDatabase(INPUT.parent), list(HealthCheck)
    how = settings(max_examples=count, database=database, deadline=None, suppress_health_check=checks)
    how = settings(how, report_multiple_bugs=False)
    with warnings.catch_warnings(action="ignore"):  # as in `cli.main`
        hypothesis.seed(seed)(how(tried))()


def main():
    parser = argparse.ArgumentParser(description="Try random input.")
    parser.add_argument("-n", type=int, default=10_000, help="how many inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same number gives the same inputs (default: 0)")
    parser.add_argument("--only", choices=TARGETS, help="try only one reader, with all inputs")
    options = parser.parse_args()
    if sys.platform == "linux":  # others ignore the limit
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    out, failed = os.fdopen(os.dup(2), "w"), False
    faulthandler.enable(out)
    os.dup2(HEARD.fileno(), 2)
    print(f"If this ends in the middle, the last input is in {INPUT}.", file=out, flush=True)
    for name, (share, _, _) in TARGETS.items():
        if options.only not in (None, name):
            continue
        start = time.perf_counter()
        try:
            run(name, options.n if options.only else max(1, options.n * share // 100), options.seed, out)
        except Exception as error:
            failed = True
            print("".join(traceback.format_exception(error, chain=False, limit=-4))[-4000:], file=out)
        faulthandler.cancel_dump_traceback_later()
        accepted, refused = (COUNTS[name, outcome] for outcome in ("accepted", "refused"))
        seconds = time.perf_counter() - start
        print(f"{name:14s} {accepted:6d} accepted {refused:6d} refused {seconds:6.0f} s", file=out, flush=True)
    print(f"{sum(COUNTS.values())} in all, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB", file=out)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
