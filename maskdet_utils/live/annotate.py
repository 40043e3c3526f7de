"""Mark the faces of photos, videos and streams: what `maskdet annotate` does.

open_source ──► frames ──► MaskDetector ──► draw ──► open_sink
                                └──► JSON
"""

import json
import signal
import sys
import threading
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from ..detector import MaskDetector
from ..drawing import draw
from .output import open_sink
from .video import Source, VideoError, open_source


def default_output(name: str, source: Source) -> str:
    """Where the marked copy goes if the user does not say: into the current folder."""
    stem = Path(name).stem if source.kind != "live" else ("camera" + name if name.isdecimal() else "stream")
    if source.kind == "photos":
        return f"{stem}-marked" + (".jpg" if Path(name).is_file() else "")
    return f"{stem}-marked" + (".gif" if name.lower().endswith(".gif") else ".mp4")


def annotate(name: str, output: str | None, detector: MaskDetector, boxes_to=None) -> dict:
    """Mark every face of a source (see `video.open_source`) and write a copy to `output` (see `video.open_sink`).

    boxes_to: a text file that gets one JSON document with the boxes of each frame; with it and without `output`
    nothing else is written. Ctrl-C ends it as the end of the video would: what is there so far is kept.

    Returns `frames`, `faces`, `output` and `interrupted`. Raises `VideoError`, `PhotoError`, ValueError.
    """
    from tqdm.auto import tqdm

    source = open_source(name)
    if output is None and boxes_to is None:
        output = default_output(name, source)
    _refuse_to_overwrite_input(name, output)
    look = detector.detect if source.kind == "photos" else detector.track
    detector.reset()
    frames = faces = 0
    interrupted = False
    with ExitStack() as stack:
        stack.callback(getattr(source.frames, "close", lambda: None))
        sink = stack.enter_context(closing(open_sink(output, source))) if output else None
        if boxes_to:
            stack.enter_context(_document(boxes_to, name, source))
        bar = stack.enter_context(tqdm(total=source.count, unit=" frames", smoothing=0.1, file=sys.stderr))
        asked_to_stop = stack.enter_context(_ctrl_c_waits())
        for photo, frame in source.frames:
            if asked_to_stop:
                interrupted = True
                break
            if frame is None:
                continue
            found = look(frame)
            if sink:
                sink.write(draw(frame, found, detector.classes), photo)
            if boxes_to:
                _write_boxes(boxes_to, frames, photo, source, found)
            frames, faces = frames + 1, faces + len(found)
            bar.update()
    if not frames and not interrupted:
        raise VideoError(f"{name}: none of the photos can be read.")
    if source.kind == "video" and not interrupted and source.count and frames < 0.9 * source.count:
        print(f"{name} ends after {frames} of {source.count} frames: the file is cut off or damaged.", file=sys.stderr)
    return {"frames": frames, "faces": faces, "output": output, "interrupted": interrupted and source.kind != "live"}


def _refuse_to_overwrite_input(name: str, output: str | None) -> None:
    source, target = Path(name), Path(output or "")
    if output is None or not source.exists():
        return
    if source.resolve() == target.resolve() or (source.is_dir() and target.resolve().is_relative_to(source.resolve())):
        raise ValueError(f"{output} is the input, or lies in it: the originals stay untouched, choose another place.")


@contextmanager
def _ctrl_c_waits():
    """Gives a list that is empty until Ctrl-C: the frame at hand is finished first. A second Ctrl-C does not wait."""
    asked = []

    def ask(*_):
        if asked:
            raise KeyboardInterrupt
        asked.append(True)

    if threading.current_thread() is not threading.main_thread():  # only the main thread hears of Ctrl-C
        yield asked
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _document(file, name, source):
    """One JSON document around the frames' lines, complete however the video ends."""
    rate = json.dumps(None if source.kind == "photos" else source.rate)
    file.write(f'{{"input": {json.dumps(name)}, "frames_per_second": {rate}, "frames": [')
    try:
        yield
    finally:
        file.write("\n]}\n")
        file.flush()


def _write_boxes(file, number: int, photo, source, found) -> None:
    place = (
        {"photo": photo} if source.kind == "photos" else {"frame": number, "seconds": round(number / source.rate, 3)}
    )
    faces = [
        {
            "box": list(one.box),
            "label": one.label,
            "probability": round(one.probability, 4),
            "face_score": round(one.face_score, 4),
            **({} if one.track is None else {"track": one.track}),
        }
        for one in found
    ]
    file.write((",\n" if number else "\n") + json.dumps({**place, "faces": faces}))
    file.flush()
