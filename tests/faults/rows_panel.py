"""The table of what can go wrong in the camera panel: how it is made, and what the browser sends to it."""

import io
import struct
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from rows import GOOD, POSTSCRIPT, bomb_gif, folders, json, pipe, png, text, tiny
from running import nothing

from maskdet_utils.detector import MaskDetector

NAN, HUGE = float("nan"), 99999999999999999999


class Call(NamedTuple):
    """A call of `CameraPanel` that must fail with a sentence.

    Attributes:
        name: What goes wrong.
        arguments: Of the call. Without a `detector`, it loads one.
        words: What the error must say.
        make: Puts files into the current folder.
    """

    name: str
    arguments: dict[str, Any]
    words: str
    make: Any = nothing


def wrong(name, value, words, make=nothing):
    """A row: one wrong argument."""
    return Call(f"{name} {value!r:.20}", {name: value}, f"{name} must be {words}", make)


def run(value, words, make=nothing):
    """A row: a run folder that cannot be used. "./" stands for the current folder."""
    return Call(f"run_dir {value!r:.20}", {"run_dir": value}, words, make)


SOURCES, DETECTORS = (
    "any of ['browser', 'sample', 'opencv'], not ",
    "any of ['auto', 'yunet', 'centerface', 'ssd'], not ",
)
CALLS = [
    wrong("source", "webcam", SOURCES + "'webcam'."),
    wrong("source", None, SOURCES + "None."),
    wrong("source", ["sample"], SOURCES),
    wrong("source", "x" * 1_000_000, SOURCES),
    wrong("face_detector", "hat", DETECTORS + "'hat'."),
    wrong("face_detector", "careful", DETECTORS),
    wrong("face_detector", None, DETECTORS),
    wrong("face_detector", {"auto": 1}, DETECTORS),
    wrong("camera", -1, "an int from 0 to 99, not -1."),
    wrong("camera", HUGE, f"an int from 0 to 99, not {HUGE}."),
    wrong("camera", "0", "an int from 0 to 99, not '0'."),
    wrong("camera", None, "an int from 0 to 99, not None."),
    wrong("camera", NAN, "an int from 0 to 99, not nan."),
    wrong("detector", "yunet", "a MaskDetector, not str. Use: MaskDetector.load(run_dir)"),
    wrong("detector", MaskDetector, "a MaskDetector, not type"),
    wrong("detector", 0, "a MaskDetector, not int"),
    run("./nowhere", "labels.json is missing. Train a classifier first"),
    run("./empty", "labels.json is missing", folders("empty")),
    run("./f", "f is not a classifier. Give a run folder", text("f", "x")),
    run("./p", "labels.json is missing", pipe("p")),
    run("./m", "classifier.tflite is missing", text("m/labels.json", json.dumps(GOOD))),
    run("./m", "labels.json is damaged", text("m/labels.json", "[")),
    run(
        "./m",
        "is not a LiteRT classifier",
        lambda f: [text("m/labels.json", json.dumps(GOOD))(f), text("m/classifier.tflite")(f)],
    ),
    run("./" + "a" * 300, "cannot be opened: File name too long."),
    run("~nobody-of-this-name/run", "labels.json is missing"),
    run("", 'run_dir must be the path of a run, such as "runs/lab", not'),
    run("  ", "run_dir must be the path of a run"),
    run(None, "run_dir must be the path of a run"),
    run(5, "run_dir must be the path of a run"),
    run(["runs/lab"], "run_dir must be the path of a run"),
    run(b"runs/lab", "run_dir must be the path of a run"),
]

# Later assignments, by a cell or by the browser. The trait keeps its value.

SETTINGS = [
    ("source", "hat", SOURCES),
    ("face_detector", "careful", DETECTORS),
    ("threshold", 1.5, "a float from 0.0 to 1.0, not 1.5."),
    ("threshold", -HUGE, "a float from 0.0 to 1.0"),
    ("threshold", NAN, "a float from 0.0 to 1.0, not nan."),
    ("threshold", "0.5", "a float from 0.0 to 1.0, not '0.5'."),
    ("threshold", None, "a float from 0.0 to 1.0"),
    ("threshold", [0.5], "a float from 0.0 to 1.0"),
    ("mirror", "yes", "a boolean, not 'yes'."),
    ("status", 5, "a unicode string, not 5."),
]

# What the browser must not set, even though the value is possible.

FOREIGN = [
    {"_esm": "export default { render() {} }"},
    {"_css": "* { display: none }"},
    {"face_detectors": ["x"]},
    {"threshold_of": "x"},
    {"idle_seconds": 80_000},
    {"camera": 7},
    {"status": "x" * 1_000_000},
    {"nonsense": 1},
    {},
]


class Message(NamedTuple):
    """A custom message from the browser.

    Attributes:
        name: What is wrong with it.
        content: The message, or what replaces parts of a good one if it is a dict.
        words: What the answer must say; "" if there must be none.
        buffers: What comes with it.
    """

    name: str
    content: Any
    words: str = ""
    buffers: Any = ()


def ignored(name, content):
    """A row: a message that gets no answer."""
    return Message(name, content, "", [tiny(64, 48)])


def picture(name, content, words):
    """A row: a picture that cannot be used."""
    return Message(f"picture: {name}", {}, f"A picture could not be read: {words}", [content])


def jpeg(width, height) -> bytes:
    """A small JPEG that says it has another size."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 48)).save(stream, "JPEG")
    content = stream.getvalue()
    return content.replace(struct.pack(">HH", 48, 64), struct.pack(">HH", height, width), 1)


def deep(levels: int) -> list:
    """A list in a list in a list …"""
    return [] if not levels else [deep(levels - 1)]


DAMAGED = "it is damaged, or not a picture"
MESSAGES = [
    *(ignored(f"{value!r:.20} for a message", value) for value in (None, [], [1], 5, "frame", NAN, True, deep(500))),
    *(ignored(f"view {value!r:.20}", {"view": value}) for value in (None, 5, ["a"], {}, "v" * 1_000_000)),
    *(ignored(f"number {value!r:.20}", {"number": value}) for value in (None, NAN, 1.5, "1", [1], {}, True, 10**400)),
    *(ignored(f"type {value!r:.20}", {"type": value}) for value in (None, 5, [], {}, "dance", "t" * 1_000_000)),
    *(
        ignored(f"next from {value!r:.20}", {"type": "next", "source": value})
        for value in (None, "browser", "/etc/passwd", ["sample"], {}, 5, "s" * 1_000_000)
    ),
    *(
        Message(f"sent {value!r:.20}", {"sent": value}, "faces", [tiny(64, 48)])
        for value in (None, "now", [1], {"a": 1}, True, NAN, float("inf"), -1e300, 10**400, HUGE, -HUGE)
    ),
    Message("further keys", {"a" * 1000: deep(100), "faces": 5, "error": "mine"}, "faces", [tiny(64, 48)]),
    Message("no buffer", {}, "A picture could not be read: it is empty"),
    Message("buffers of None", {}, "A picture could not be read: it is empty", None),
    *(
        Message(f"a buffer that is {value!r:.20}", {}, "it must be the bytes of a picture", [value])
        for value in ("/etc/passwd", 10**12, None, [1, 2], np.zeros(3))
    ),
    Message("every other byte", {}, DAMAGED, [memoryview(tiny(64, 48))[::2]]),
    picture("20,000×20,000 pixels", jpeg(20_000, 20_000), "20000×20000 pixels are too many"),
    picture("PNG of 60,000×60,000", png(60_000, 60_000), "60000×60000 pixels are too many"),
    picture("GIF of 60,000×60,000", bomb_gif(10, 60_000), "60000×60000 pixels are too many"),
    picture("GIF of 0×0", bomb_gif(0, 0), DAMAGED),
    picture("1×1", tiny(1, 1), "1×1 pixels are too few"),
    picture("5,000×1", tiny(5000, 1), "5000×1 pixels are too few"),
    picture("half a PNG", png(100, 100), DAMAGED),
    picture("noise", np.random.default_rng(0).bytes(5000), DAMAGED),
    picture("noise after JPEG's first bytes", b"\xff\xd8\xff\xe0" + np.random.default_rng(0).bytes(5000), DAMAGED),
    picture("a TIFF of noise", b"II*\0" + np.random.default_rng(0).bytes(5000), DAMAGED),
    picture("a program for Ghostscript", POSTSCRIPT, "a drawing (EPS), not a photo"),
    picture("10 MB of zeros", bytes(10_000_000), DAMAGED),
]
