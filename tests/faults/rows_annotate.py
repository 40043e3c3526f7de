"""The table of faults for `maskdet annotate`. A stand-in for the detector marks one face in every frame."""

import os
import signal
import sys
from pathlib import Path

import av
import cv2
import numpy as np
from conftest import OneFace
from rows import all_of, bomb_gif, face, folders, link, pipe, text
from running import Row

from maskdet_utils import cli
from maskdet_utils.live import annotate as live
from maskdet_utils.live import output
from maskdet_utils.live.capture import Moment, Source

FRAMES = 20
NOT_CHANGED = "The earlier out.mp4 has not changed."


def picture(number: int = 0) -> np.ndarray:
    """A frame with noise, which no encoder makes small."""
    return np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)


def clip(name, cut=1.0, damage=None, size=(64, 48), frames=FRAMES):
    """A set-up: a video with a key frame in each 5, cut off, or with a part of it overwritten with zeros.

    Args:
        name: The file; "fragmented.mp4" has its index in pieces.
        cut: How much of it is there.
        damage: Where the zeros begin and end, as fractions of the file.
        size: Width and height in pixels.
        frames: How many there are.
    """

    def make(folder):
        path = folder / name
        options = {"movflags": "frag_keyframe+empty_moov" if "fragmented" in name else "+faststart"}
        with av.open(str(path), "w", options=options if path.suffix == ".mp4" else {}) as container:
            stream = container.add_stream("libx264", 10, {"g": "5", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv444p" if min(size) == 1 else "yuv420p"
            for number in range(frames):
                pixels = cv2.resize(picture(number), size)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
            container.mux(stream.encode())
        content = bytearray(path.read_bytes())
        if damage:
            start, end = (int(len(content) * part) for part in damage)
            content[start:end] = bytes(end - start)
        path.write_bytes(content[: int(len(content) * cut)])

    return make


def long_sound(cut):
    """A set-up: in.mp4 with two seconds of video and, after that, the rest of 20 seconds of sound, cut off."""

    def make(folder):
        with av.open(str(folder / "in.mp4"), "w", options={"movflags": "+faststart"}) as container:
            stream, sound = container.add_stream("libx264", 10), container.add_stream("aac", 48_000, layout="mono")
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(FRAMES):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture())))
            container.mux(stream.encode())
            for number in range(20 * 50):
                noise = np.random.default_rng(number).uniform(-1, 1, (1, 960)).astype(np.float32)
                samples = av.AudioFrame.from_ndarray(noise, "fltp", "mono")
                samples.sample_rate, samples.pts = 48_000, 960 * number
                container.mux(sound.encode(samples))
            container.mux(sound.encode())
        os.truncate(folder / "in.mp4", int((folder / "in.mp4").stat().st_size * cut))

    return make


def gif(name, cut=1.0):
    """A set-up: an animation, cut off."""

    def make(folder):
        with output.open_sink(str(folder / name), Source("video", iter(()), 10.0)) as sink:
            for number in range(FRAMES):
                sink.write(picture(number), Moment(number / 10, 0.1))
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * cut)])

    return make


EARLIER = text("out.mp4", "the earlier output")


def stand_in(action=lambda number: None):
    """A fault: something happens in frame `number`, which is counted from 0."""

    class Detector(OneFace):
        detect_every, seen = 1, 0

        def choose_faces(self, _name):
            pass

        def detect(self, frame):
            action(self.seen)
            self.seen += 1
            return super().detect(frame)

    return lambda patch: patch.setattr("maskdet_utils.detector.MaskDetector.load", lambda *_, **__: Detector())


def at(frame, *actions):
    """A fault in one frame."""
    return stand_in(lambda number: [action() for action in actions] if number == frame else None)


def fail():
    raise ZeroDivisionError("in a frame")


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def twice_in(where, name, after=False):
    """A fault: two Ctrl-C just before or after something of ours is called."""

    def fault(patch):
        real = getattr(where, name)

        def interrupted(*given, **more):
            result = real(*given, **more) if after else None
            ctrl_c()
            ctrl_c()
            return result if after else real(*given, **more)

        patch.setattr(where, name, interrupted)

    return fault


def both(*faults):
    """A fault that consists of several."""
    return lambda patch: [fault(patch) for fault in faults]


def lost(sink):
    """A fault: half of what was written to a file is lost without an error."""

    def fault(patch):
        finish = sink.finish

        def finish_and_lose(self):
            finish(self)
            os.truncate(self.staging, self.staging.stat().st_size // 2)

        patch.setattr(sink, "finish", finish_and_lose)

    return fault


def lost_photo(patch):
    """A fault: half of what is written to a photo is lost without an error."""
    write = Path.write_bytes
    patch.setattr(Path, "write_bytes", lambda path, content: write(path, content[: len(content) // 2]))


def closed(patch):
    """A fault: nobody may open a file."""

    def refuse(name):
        raise PermissionError(13, "Permission denied", name)

    patch.setattr(live, "open_source", refuse)


def no_sync(patch):
    """A fault: only when a file is synced, the disk says that it is full."""

    def refuse(_):
        raise OSError(28, "No space left on device")

    patch.setattr(os, "fsync", refuse)


def camera(patch):
    """A fault: there is a camera, and it is unplugged after 8 pictures."""

    class Capture:
        left = 8

        def __init__(self, _number):
            pass

        def read(self):
            self.left -= 1
            return (True, picture(self.left)) if self.left >= 0 else (False, None)

        def get(self, _):
            return 10.0

        def release(self):
            pass

    patch.setattr(cv2, "VideoCapture", Capture)


def row(name, command, words, *makers, fault=stand_in(), **more):  # noqa: B008
    """A row: an `annotate` command with the stand-in."""
    return Row(name, f"annotate {command}", words, all_of(*makers), fault=fault, **more)


def video(name, words, *makers, command="in.mp4 -o out.mp4", new=("out.partial.mp4",), fault=stand_in()):  # noqa: B008
    """A row: a video, and an earlier output."""
    return row(name, command, words, EARLIER, *makers, new=new, fault=fault)


def only(done, of=FRAMES):
    return f"only {done} of {of} frames."


PHOTO = text("a.pgm", face())
NOT_WRITTEN = "out.mp4 was not written correctly. Check the disk."
ANNOTATE = [
    # Videos that are not whole
    video("a cut video", f"It is cut off or damaged. They are in out.partial.mp4. {NOT_CHANGED}", clip("in.mp4", 0.5)),
    video("a damaged middle", "of 20 frames. It is cut off or damaged.", clip("in.mp4", damage=(0.3, 0.5))),
    video("a damaged beginning", only(10) + " It is cut off or damaged.", clip("in.mp4", damage=(0.04, 0.5))),
    video("a cut sound", f"in.mp4: Its sound is cut off. The rest is in … {NOT_CHANGED}", long_sound(0.5)),
    video("cut in fragments", "It is cut off", clip("fragmented.mp4", 0.6), command="fragmented.mp4 -o out.mp4"),
    video("a hole in fragments", "It is cut off", clip("fragmented.mp4", damage=(0.3, 0.6)), command="fragmented.mp4 -o out.mp4"),
    video("a cut Matroska file", "It is cut off", clip("in.mkv", 0.4, frames=60), command="in.mkv -o out.mp4"),
    video("a cut GIF", f"frames. It is cut off … {NOT_CHANGED}", gif("in.gif", 0.5), command="in.gif -o out.mp4"),
    row(
        "a cut GIF over a GIF",
        "in.gif -o out.gif",
        "They are in out.partial.gif. The earlier out.gif has not changed",
        gif("in.gif", 0.5),
        text("out.gif", "earlier"),
        new=("out.partial.gif",),
    ),
    row("a cut video, only looked at", "in.mp4 --json", '"partial": [{"path": "in.mp4", "frames":', clip("in.mp4", 0.5)),
    row("a cut video, JSON says where", "in.mp4 --json -o x.mp4", '"output": "x.partial.mp4"}]', clip("in.mp4", 0.5),
        new=("x.partial.mp4",)),
    video("the name is taken", "They are in out.partial-2.mp4.", clip("in.mp4", 0.5), text("out.partial.mp4", "mine"),
          new=("out.partial-2.mp4",)),
    row("a long name", f"{'n' * 251}.mp4 -o out/", "It is cut off", clip(f"{'n' * 251}.mp4", 0.5),
        new=("out", f"out/{'n' * 243}.partial.mp4")),
    video("a camera that stops", f"0: only 8 frames. The camera stopped sending pictures. They are … {NOT_CHANGED}",
          command="0 -o out.mp4", fault=both(stand_in(), camera)),
    # Errors and signals in the middle
    video("an error in frame 5", f"{only(5)} They are in out.partial.mp4. {NOT_CHANGED} … ZeroDivisionError",
          clip("in.mp4"), fault=at(5, fail)),
    video("Ctrl-C", f"{only(6)} They are in out.partial.mp4. {NOT_CHANGED} … Interrupted.", clip("in.mp4"),
          fault=at(5, ctrl_c)),
    video("Ctrl-C twice", f"{only(5)} They are in out.partial.mp4. {NOT_CHANGED} … Interrupted.", clip("in.mp4"),
          fault=at(5, ctrl_c, ctrl_c)),
    video("Ctrl-C twice in the first frame", f"{only(0)} {NOT_CHANGED} … Interrupted.", clip("in.mp4"), new=(),
          fault=at(0, ctrl_c, ctrl_c)),
    video("Ctrl-C twice while it is saved", "in.mp4: interrupted Interrupted.", clip("in.mp4"), new=(),
          fault=both(stand_in(), twice_in(output.VideoSink, "finish"))),
    row("Ctrl-C twice just after it was saved", "in.mp4 -o out.mp4", "20 frames with 20 faces in out.mp4", EARLIER,
        clip("in.mp4"), fault=both(stand_in(), twice_in(output, "swap_in", after=True)), code=0, new=("out.mp4",)),
    row("Ctrl-C twice while it is opened", "in.mp4 --json", "in.mp4: interrupted Interrupted.", clip("in.mp4"),
        fault=both(stand_in(), twice_in(live, "open_source"))),
    row("Ctrl-C twice in a photo", "a.pgm -o out.jpg", "a.pgm: interrupted Interrupted.", PHOTO, text("out.jpg", "earlier"),
        fault=at(0, ctrl_c, ctrl_c)),
    row("Ctrl-C while the result is printed", "in.mp4 -o out.mp4", "Interrupted. All files that are there are complete.",
        EARLIER, clip("in.mp4"), fault=both(stand_in(), twice_in(cli, "_report")), new=("out.mp4",)),
    row("Ctrl-C in the last frame", "in.mp4 -o new.mp4", "20 frames with 20 faces in new.mp4", clip("in.mp4"),
        fault=at(19, ctrl_c), code=0, new=("new.mp4",)),
    row("Ctrl-C while a camera films", "0 -o new.mp4", "frames with 4 faces in new.mp4", fault=both(at(3, ctrl_c), camera),
        code=0, new=("new.mp4",)),
    row("Ctrl-C twice in a batch", "a.pgm in.mp4 c.pgm", f"{only(2)} They are in in-marked.partial.mp4. … "
        "1 of them because of an error. c.pgm: interrupted before its turn Interrupted.", PHOTO, clip("in.mp4"),
        text("c.pgm", face()), fault=at(3, ctrl_c, ctrl_c), new=("a-marked.jpg", "in-marked.partial.mp4")),
    # Disks
    video("the video is not what was written", NOT_WRITTEN, clip("in.mp4"), new=(),
          fault=both(stand_in(), lost(output.VideoSink))),
    row("the animation is not what was written", "in.gif -o out.gif", "out.gif", gif("in.gif"), text("out.gif", "earlier"),
        fault=both(stand_in(), lost(output.AnimationSink))),
    row("the photo is not what was written", "a.pgm -o out.jpg", "out.jpg was not written correctly", PHOTO,
        text("out.jpg", "earlier"), fault=both(stand_in(), lost_photo)),
    video("full when it is synced", "out.mp4 cannot be written: No space left on device.", clip("in.mp4"), new=(),
          fault=both(stand_in(), no_sync)),
    row("full when a photo is synced", "a.pgm -o out.jpg", "out.jpg cannot be written: No space left on device.", PHOTO,
        text("out.jpg", "earlier"), fault=both(stand_in(), no_sync)),
    # Outputs that would hit something else
    row("onto the input", "in.mp4 -o in.mp4", "in.mp4 is the input. To protect the originals", clip("in.mp4")),
    row("onto a hard link", "a.pgm -o b.jpg", "b.jpg is the input", PHOTO,
        lambda folder: os.link(folder / "a.pgm", folder / "b.jpg")),
    row("onto a link", "a.pgm -o b.jpg", "b.jpg is the input", PHOTO, link("b.jpg", "a.pgm")),
    row("onto the input through a folder to be made", "in.mp4 -o new/../in.mp4", "new/../in.mp4 is the input", clip("in.mp4")),
    row("onto an input through a folder to be made", "a.jpg a-marked.jpg -o new/..", "2 frames with 2 faces in 2 files",
        text("a.jpg", face()), text("a-marked.jpg", face()), code=0,
        new=("new", "a-marked-2.jpg", "a-marked-marked.jpg")),
    row("into one folder by two links", "in -o out", "2 frames with 2 faces in 2 files", text("in/a/x.jpg", face()),
        text("in/b/x.jpg", face()), folders("out", "both"), link("out/a", "../both"), link("out/b", "../both"), code=0,
        new=("both/x.jpg-marked.jpg", "both/x.jpg-marked-2.jpg")),
    row("next to a pipe with a name like ours", "a.pgm -o b.jpg", "1 frames with 1 faces", PHOTO,
        pipe(".maskdet-0123456789abcdef.jpg"), code=0, new=("b.jpg",)),
    row("into its own folder", "in/a.jpg -o in", "1 frames with 1 faces in in/a-marked.jpg", text("in/a.jpg", face()),
        code=0, new=("in/a-marked.jpg",)),
    row("a folder that links back", "in -o out", "1 frames with 1 faces in", text("in/a-marked.jpg", face()),
        folders("out"), link("out/deep", "../in"), code=0, new=("out/a-marked-marked.jpg",)),
    row("two with one stem", "a.jpg a.png -o out", "2 frames with 2 faces in 2 files in out", text("a.jpg", face()),
        text("a.png", face()), code=0, new=("out", "out/a.jpg-marked.jpg", "out/a.png-marked.jpg")),
    row("a.webp and a.webp.png", "a.webp a.webp.png -o out", "2 frames with 2 faces in 2 files", text("a.webp", face()),
        text("a.webp.png", face()), code=0, new=("out", "out/a-marked.jpg", "out/a.webp-marked.jpg")),
    row("onto a folder", "in.mp4 -o out.mp4", "20 frames with 20 faces in out.mp4/in-marked.mp4", clip("in.mp4"),
        folders("out.mp4"), code=0, new=("out.mp4/in-marked.mp4",)),
    row("onto a device", "a.pgm -o /dev/null", "/dev/null is there, and it is not a folder. Choose another name.", PHOTO),
    row("onto a pipe", "in.mp4 -o p.mp4", "p.mp4 already exists, and it is not a file. Choose another name.", clip("in.mp4"), pipe("p.mp4")),
    row("into nothing", "a.pgm -o ''", "The output has an empty name. Use -o . for the current folder.", PHOTO),
    row("below a file", "a.pgm -o f/x.jpg", "f/x.jpg cannot be written: a part of its path is a file, not a folder.", PHOTO, text("f", "mine")),
    row("an ending that we cannot write", "in.mp4 -o out.avi", "out.avi does not fit: write video to .mp4", clip("in.mp4")),
    row("a photo as a video", "a.pgm -o out.mp4", "out.mp4 does not fit: write photos to .jpg, .png", PHOTO),
    row("two inputs for one file", "a.pgm in.mp4 -o out.mp4", "out.mp4 is one file, but the input is", PHOTO, clip("in.mp4")),
    # Inputs that are none
    row("no name", "''", "an empty name is not a file"),
    row("nothing", "nothing.mp4", "There is no file, folder, camera, or stream nothing.mp4"),
    row("half an address", "'https://['", "There is no picture from https://[. Check the address"),
    row("no such pattern", "'*.jpg'", "there is no such file"),
    row("a pipe", "p.mp4", "p.mp4 is not a file. For a camera, use its number", pipe("p.mp4")),
    row("a device", "/dev/zero", "/dev/zero is not a file."),
    row("an empty video", "a.mp4", "a.mp4 is empty. Copy or record it again.", text("a.mp4")),
    row("may not be opened", "a.pgm b.pgm", "a.pgm: Permission denied b.pgm: Permission denied", PHOTO, text("b.pgm", face()),
        fault=both(stand_in(), closed)),
    row("an empty folder", "in", "there are no photos or videos in this folder", folders("in")),
    row("a text", "a.mp4", "a.mp4 is cut off, or not a video that FFmpeg can read", text("a.mp4", "no video")),
    row("a page", "a.jpg", "a.jpg: not a readable photo (it is a web page", text("a.jpg", "<!DOCTYPE html><p>Sign in to see this photo")),
    row("a bomb", "a.gif", "a.gif has more than 100 megapixels. Make it smaller.",
        lambda folder: text("a.gif", bomb_gif(60000, 60000))(folder)),
    row("one pixel", "a.mkv -o out.mp4", "1 frames with 1 faces in out.mp4", clip("a.mkv", size=(1, 1), frames=1), code=0,
        new=("out.mp4",)),
    row("a number far too large", "99999999999999999999", "There is no picture from camera 99999999999999999999."),
    row("another digit", "٣", "There is no picture from camera 3."),
    row("a name of bytes", r"$'\xff.jpg'", "There is no file"),
    row("no frames between looks", "a.pgm --detect-every 0", "--detect-every must be", PHOTO, code=2),
]  # fmt: skip

# Each in a process of its own, with the released classifier.
RUN = "maskdet annotate in.mp4 -o out.mp4 --model {released} --faces centerface"
if sys.platform != "win32":
    ANNOTATE += [
        Row("no space for a video", f"(ulimit -f 8; trap '' XFSZ; {RUN})", "out.mp4 cannot be written: File too large.",
            all_of(EARLIER, clip("in.mp4", size=(640, 480)))),
        Row("the reader of the JSON has ended", f"{RUN} --json | head -1; exit ${{PIPESTATUS[0]}}",
            f"They are in out.partial.mp4. {NOT_CHANGED}", all_of(EARLIER, clip("in.mp4", frames=600)),
            new=("out.partial.mp4",)),
    ]  # fmt: skip
