"""Mark the faces in photos, videos, and streams: the work of `maskdet annotate`.

open_source ──► frames ──► MaskDetector ──► Labels ──► open_sink
                                └──► JSON
"""

import json
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from ..detector import MaskDetector
from ..tracking import Tracker
from .labels import Labels
from .output import open_sink
from .video import Source, VideoError, open_source


def default_output(name: str, source: Source) -> str:
    """Return the name of the marked copy, in the current folder, for a user who gives none."""
    if source.kind == "live":
        stem = "camera" + name if name.isdecimal() else "stream"
    else:
        stem = Path(name if Path(name).exists() else urlsplit(name).path).stem
    return f"{stem or 'address'}-marked{source.ending}"


def annotate(name: str, output: str | None, detector: MaskDetector, boxes_to=None, *, source: Source = None) -> dict:
    """Mark every face of a source and write a marked copy.

    Ctrl-C has the same effect as the end of the video: what is written so far is kept.

    Args:
        name: The source, see `video.open_source`.
        output: Where the copy goes, see `output.open_sink`. If it is None, `default_output` chooses a name; but with
            `boxes_to` no copy is written.
        detector: The detector that finds and labels the faces.
        boxes_to: Open text file for one JSON document with the boxes of each frame.
        source: What `video.open_source` gave for `name`, if it is already open.

    Returns:
        `frames` and `faces` (counts), `output`, `interrupted` (always False for a live source, which only Ctrl-C ends),
        and `looks` (words about full looks; empty if there are none).

    Raises:
        VideoError: If the source cannot be read or the copy cannot be written.
        PhotoError: If `name` is a photo that cannot be read.
        ValueError: If the output does not fit the source, or would overwrite it.
    """
    from tqdm.auto import tqdm

    source = source or open_source(name)
    if output is None and boxes_to is None:
        output = default_output(name, source)
    _refuse_to_overwrite_input(name, output)
    tracker = Tracker(seconds=1 / source.rate)
    detect = detector.detect if source.kind == "photos" else partial(detector.track, tracker=tracker)
    frames = faces = 0
    interrupted = False
    with ExitStack() as stack:
        stack.callback(getattr(source.frames, "close", lambda: None))
        sink = stack.enter_context(open_sink(output, source)) if output else None
        if sink is None:
            source.sound = None
        if boxes_to:
            stack.enter_context(_document(boxes_to, name, source))
        bar = stack.enter_context(tqdm(total=source.count, unit=" frames", smoothing=0.1, file=sys.stderr))
        stop_requests = stack.enter_context(_delayed_ctrl_c())
        for place, frame in source.frames:
            if stop_requests:
                interrupted = True
                break
            if frame is None:
                continue
            detections = detect(frame)
            if sink:
                if source.kind == "photos" or not frames:  # otherwise, the last frame's labels matter
                    labels = Labels(detector.classes, detector.mask_class)
                sink.write(_marked(frame, place, labels.draw(frame, detections)), place)
            if boxes_to:
                _write_boxes(boxes_to, frames, place, detections)
            frames, faces = frames + 1, faces + len(detections)
            bar.update()
    if not frames and not interrupted:
        raise VideoError(f"None of the photos in {name} can be read. Save them again as JPEG or PNG.")
    if source.kind == "video" and not interrupted and source.count and frames < 0.9 * source.count:
        print(f"{name} ends after {frames} of {source.count} frames: it is cut off or damaged.", file=sys.stderr)
    return {
        "frames": frames,
        "faces": faces,
        "output": output,
        "interrupted": interrupted and source.kind != "live",
        "looks": _looks(tracker) if source.kind != "photos" and detector.full_look else "",
    }


def _looks(tracker: Tracker) -> str:
    wait = tracker.look_every * tracker.seconds
    return f"Full look at 1 of {tracker.look_every} frames: a small new face waits up to {wait:.1f} s for its label."


def _marked(frame, place, marked):
    """Return the marked frame. What is drawn on a transparent part of an animation becomes opaque."""
    if getattr(place, "opacity", None) is not None:
        place.opacity[(marked != frame).any(axis=2)] = 255
    return marked


def _refuse_to_overwrite_input(name: str, output: str | None) -> None:
    source, target = Path(name), Path(output or "")
    if output is None or not source.exists():
        return
    if source.resolve() == target.resolve() or (source.is_dir() and target.resolve().is_relative_to(source.resolve())):
        raise ValueError(f"{output} is the input or lies inside it. To protect the originals, choose another place.")


@contextmanager
def _delayed_ctrl_c():
    """Yield a list that is empty until Ctrl-C, so that the current frame is finished. A second Ctrl-C does not wait."""
    stop_requests = []

    def request_stop(*_):
        if stop_requests:
            raise KeyboardInterrupt
        stop_requests.append(True)

    if threading.current_thread() is not threading.main_thread():  # only the main thread receives Ctrl-C
        yield stop_requests
        return
    previous_handler = signal.signal(signal.SIGINT, request_stop)
    try:
        yield stop_requests
    finally:
        signal.signal(signal.SIGINT, previous_handler)


@contextmanager
def _document(file, name, source):
    """Write one JSON document around the frames' lines, which is complete however the video ends."""
    rate = json.dumps(None if source.kind == "photos" else source.rate)
    file.write(f'{{"input": {json.dumps(name)}, "frames_per_second": {rate}, "frames": [')
    try:
        yield
    finally:
        file.write("\n]}\n")
        file.flush()


def _write_boxes(file, number: int, place, detections) -> None:
    is_photo = isinstance(place, str)
    position = {"photo": place} if is_photo else {"frame": number, "seconds": round(place.seconds, 3)}
    faces = [
        {
            "box": list(face.box),
            "label": face.label,
            "probability": round(face.probability, 4),
            "face_score": round(face.face_score, 4),
            **({} if face.track is None else {"track": face.track}),
        }
        for face in detections
    ]
    file.write((",\n" if number else "\n") + json.dumps({**position, "faces": faces}))
    file.flush()
