"""Mark the faces in photos, videos, and streams: the work of `maskdet annotate`.

find_inputs ──► open_source ──► frames ──► MaskDetector ──► Labels ──► open_sink
                                                └──► JSON
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from functools import partial

from ..detector import MaskDetector
from ..tracking import Tracker
from .inputs import Copies, find_inputs
from .labels import Labels
from .output import open_sink
from .video import Source, VideoError, open_source


def annotate(
    names: str | list[str],
    output: str | None,
    detector: MaskDetector,
    boxes_to=None,
    *,
    prepare: Callable | None = None,
) -> dict:
    """Mark every face in everything that is named, and write marked copies.

    An input that cannot be read, or whose copy cannot be written, does not stop the rest. Ctrl-C ends the recording of a
    live source. Of a file, what is marked so far is kept under another name, see `output`.

    Args:
        names: The inputs, see `inputs.find_inputs`.
        output: Where the copies go, see `inputs.Copies`. If it is None, they go to the current folder; but with `boxes_to`
            no copy is written.
        detector: The detector that finds and labels the faces.
        boxes_to: Open text file for one JSON document with the boxes of each frame.
        prepare: Called with each source before its first frame.

    Returns:
        `files`, `frames`, and `faces` (counts), `outputs` (the paths of the copies), `partial` (for each video that isn't
        whole: its `path`, the number of `frames`, `of` how many, and `output`, the path of the copy or None),
        `interrupted` (whether Ctrl-C left out anything), `looks` (words about full looks; empty if there are none), and
        `left_out` (see `inputs.LeftOut`).

    Raises:
        VideoError: If the only input cannot be read or its copy cannot be written.
        PhotoError: If the only input is a photo that cannot be read.
        ValueError: If the output does not fit the inputs, or would overwrite the only one.
    """
    from tqdm.auto import tqdm

    names = [names] if isinstance(names, str) else names
    inputs, left_out = find_inputs(names, output)
    if not inputs and len(left_out.files) == 1:
        raise VideoError(f"{names[0] or 'INPUT'}: {left_out.files[0]['reason']}.")
    is_one_folder = len(names) == 1 and os.path.isdir(names[0])
    is_one_file = len(names) == len(inputs) == 1 and not is_one_folder
    copies = Copies(output, inputs, is_one_folder) if output is not None or boxes_to is None else None
    done: dict = {"files": 0, "frames": 0, "faces": 0, "outputs": [], "partial": [], "looks": "", "left_out": left_out}
    with ExitStack() as stack:
        document = stack.enter_context(_Document(boxes_to, names, done)) if boxes_to else None
        if document and not is_one_file:
            document.begin(rate=None)
        stop_requests = stack.enter_context(_delayed_ctrl_c())
        bar = stack.enter_context(tqdm(total=len(inputs), unit=" files", disable=is_one_file, file=sys.stderr))
        for one in inputs:
            if stop_requests:
                left_out.add(one.name, "interrupted before its turn")
                continue
            known = len(done["outputs"] + done["partial"])
            try:
                with tqdm.external_write_mode(file=sys.stderr):  # what they say gets a line of its own
                    source = open_source(one.name)
                    if prepare:
                        prepare(source)
                if document:
                    document.start(source, None if is_one_file else one.place if is_one_folder else one.name)
                path = copies.path_for(one, source) if copies else None
                _mark(one.name, source, path, detector, document=document, stop_requests=stop_requests, done=done)
            except BrokenPipeError:  # nobody reads the document anymore
                raise
            except KeyboardInterrupt:  # the second one, which does not wait for the end of a frame
                stop_requests.append(True)
                if len(done["outputs"] + done["partial"]) == known:
                    left_out.add(one.name, "interrupted")
            except Exception as error:  # whatever is wrong with one file, the others are fine
                if is_one_file:
                    raise
                left_out.add(one.name, getattr(error, "strerror", None) or str(error) or type(error).__name__)
            bar.update()
        done["interrupted"] = bool(stop_requests and (done["partial"] or left_out.failed))
    return done


def _mark(name: str, source: Source, path: str | None, detector, *, document, stop_requests: list, done: dict) -> None:
    """Mark one photo, video, or stream, and add what was found to `done`."""
    from tqdm.auto import tqdm

    tracker = Tracker(seconds=1 / source.rate)
    detect = detector.detect if source.kind == "photos" else partial(detector.track, tracker=tracker)
    frames, sink, is_whole = 0, None, False
    try:
        with ExitStack() as stack:
            stack.callback(getattr(source.frames, "close", lambda: None))
            sink = stack.enter_context(open_sink(path, source)) if path else None
            if sink is None:
                source.sound = None
            is_photo = source.kind == "photos"
            bar = stack.enter_context(
                tqdm(total=source.count, unit=" frames", smoothing=0.1, leave=False, disable=is_photo, file=sys.stderr)
            )
            for place, frame in source.frames:
                if stop_requests:
                    is_whole = source.kind == "live"  # nothing but Ctrl-C ends it
                    break
                detections = detect(frame)
                if sink:
                    if not frames:  # in a video, the last frame's labels matter
                        labels = Labels(detector.classes, detector.mask_class)
                    sink.write(_marked(frame, place, labels.draw(frame, detections)), place)
                if document:
                    document.write(frames, place, detections)
                frames, done["faces"] = frames + 1, done["faces"] + len(detections)
                bar.update()
            else:
                is_whole = not source.problem
            if sink:
                sink.is_whole = is_whole
    finally:
        done["files"], done["frames"] = done["files"] + 1, done["frames"] + frames
        saved = sink.saved if sink else None
        if is_whole or source.kind == "photos":
            done["outputs"] += [saved] if saved else []
        elif sink or path is None:
            done["partial"].append({"path": name, "frames": frames, "of": source.count, "output": saved})
            _say_partial(source, path, **done["partial"][-1])
    if source.kind != "photos" and detector.full_look:
        done["looks"] = _looks(tracker)


def _say_partial(
    source: Source, target: str | None, path: str, frames: int, of: int | None, output: str | None
) -> None:
    """Say that only a part of a video was marked, and where that part is."""
    from tqdm.auto import tqdm

    count = "" if frames == of else f"only {frames} {f'of {of} ' if of else ''}frames. "
    words = f"{path}: {count}{source.problem}"
    words += f" {'They are' if count else 'The rest is'} in {output}." if output else ""
    words += f" The earlier {target} has not changed." if target and os.path.exists(target) else ""
    tqdm.write(words.replace("  ", " "), file=sys.stderr)


def _looks(tracker: Tracker) -> str:
    wait = tracker.look_every * tracker.seconds
    return f"Full look at 1 of {tracker.look_every} frames: a small new face waits up to {wait:.1f} s for its label."


def _marked(frame, place, marked):
    """Return the marked frame. What is drawn on a transparent part of an animation becomes opaque."""
    if getattr(place, "opacity", None) is not None:
        place.opacity[(marked != frame).any(axis=2)] = 255
    return marked


@contextmanager
def _delayed_ctrl_c():
    """Yield a list that is empty until Ctrl-C, so that the current frame is finished. A second Ctrl-C does not wait.

    Signals that ask the process to end do the same. What the parent process ignores stays ignored, as `nohup` wants it.
    """
    stop_requests = []

    def request_stop(*_):
        if stop_requests:
            raise KeyboardInterrupt
        stop_requests.append(True)

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        numbers = []
    previous = {number: signal.getsignal(number) for number in numbers}
    previous = {number: handler for number, handler in previous.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in previous:
            signal.signal(number, request_stop)
        yield stop_requests
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Document:
    """One JSON document around the frames' lines, which is complete however the last video ends."""

    def __init__(self, file, names: list[str], done: dict):
        self.file, self.names, self.done = file, names, done
        self.name: str | None = None
        self.separator = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.separator:  # if it has begun
            partial, left_out = json.dumps(self.done["partial"]), json.dumps(self.done["left_out"].files)
            self.file.write(f'\n], "partial": {partial}, "left_out": {left_out}}}\n')
            self.file.flush()

    def begin(self, rate: float | None) -> None:
        name = json.dumps(self.names[0] if len(self.names) == 1 else self.names)
        self.file.write(f'{{"input": {name}, "frames_per_second": {json.dumps(rate)}, "frames": [')
        self.separator = "\n"

    def start(self, source: Source, name: str | None) -> None:
        """Start with the frames of a source. In a document about one file, they need no name."""
        self.name = name
        if not self.separator:
            self.begin(None if source.kind == "photos" else source.rate)

    def write(self, number: int, place, detections) -> None:
        if isinstance(place, str):
            position = {"photo": self.name or place}
        else:
            video = {"video": self.name} if self.name else {}
            position = {**video, "frame": number, "seconds": round(place.seconds, 3)}
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
        self.file.write(self.separator + json.dumps({**position, "faces": faces}))
        self.file.flush()
        self.separator = ",\n"
