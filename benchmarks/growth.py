"""Measure how time and memory grow with photos per folder, faces per frame, and frame size. Prints and writes JSON.

    python benchmarks/growth.py [--photos 1000 4000 16000] [--results FILE]

Each point is measured in a separate process, so that its peak memory is its own. The photos are those of the built-in
sample, repeated. The faces are boxes in one full-HD frame, which also goes through the face detector. The frames are
one picture with four faces, resized. A slope of 1 means that twice as many take twice as long.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from maskdet_utils import faces, sample
from maskdet_utils.classifier import RELEASED, load_classifier
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate.folder import predict_crops
from maskdet_utils.live import clips
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.tracking import Tracker

RESULTS = "benchmarks/results/growth.json"
PHOTOS = (1000, 4000, 16000)
FACES = (1, 2, 4, 8, 16, 32, 64)
HEIGHTS = (360, 720, 1080, 2160)
ROUNDS = 15
WORDS = {
    "evaluate": "photos in a folder, evaluated with maskdet evaluate",
    "features": "photos in a folder, turned into features by a frozen base",
    "faces": "faces in a frame, detected once and classified",
    "frame": "height of a frame in pixels, with detection and four faces",
}


def linked_photos(count: int, folder: Path) -> Path:
    """Make class folders with `count` links to the sample's photos, repeated as needed."""
    photos = {name: sorted((sample.build() / name).iterdir()) for name in ("with_mask", "without_mask")}
    for name, files in photos.items():
        (folder / name).mkdir(parents=True)
        for number in range(count // 2):
            file = files[number % len(files)]
            (folder / name / f"{number:05d}{file.suffix}").symlink_to(file)
    return folder


def run_evaluate(folder: Path) -> float:
    """Time all photos in class folders, from files to probabilities, in seconds."""
    classifier, config = load_classifier(RELEASED)
    start = time.perf_counter()
    predict_crops(classifier, config, folder)
    return time.perf_counter() - start


def features_of_folder(folder: Path) -> float:
    """Time one view of each photo in a folder, from files to features, in seconds."""
    from maskdet_utils import augment, model, training

    base = model.build_base(160)
    files = sorted(folder.glob("*/*"))
    start = time.perf_counter()
    training.features_of_views(
        base, files, np.zeros((len(files), 2)), 1, 0, change=augment.degrade, move=augment.random_affine
    )
    return time.perf_counter() - start


def classify_faces(count: int) -> float:
    """Time a full-HD frame with `count` faces: search it once and classify all faces, in seconds."""
    frame = full_hd()
    boxes = [(20 + 110 * (number % 16), 20 + 120 * (number // 16), 80, 96) for number in range(count)]
    detector = MaskDetector.load(RELEASED)
    return median_seconds(lambda: (detector.face_detector.detect(frame), detector.classify(frame, boxes)))


def look_at_frame(height: int) -> float:
    """Time a frame of this height with four faces, all of which are detected and classified, in seconds."""
    frame = cv2.resize(full_hd(), (height * 16 // 9, height), interpolation=cv2.INTER_LINEAR)
    detector = MaskDetector.load(RELEASED)
    tracker = Tracker(settled=10**9)
    return median_seconds(lambda: detector.track(frame, tracker))


def full_hd() -> np.ndarray:
    """Return a frame of 1080×1920 pixels with four faces."""
    return next(iter(clips.play(clips.cast_actors([1, 2, 3, 5], [()] * 4), 1, width=1920, height=1080)))[0]


def median_seconds(work) -> float:
    """Take the median of several runs, after the same number of warm-up runs."""
    seconds = []
    for _ in range(2 * ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[ROUNDS:]))


MEASURES = {"evaluate": run_evaluate, "features": features_of_folder, "faces": classify_faces, "frame": look_at_frame}


def measure(axis: str, point, queue) -> None:
    """Measure one point in a separate process: its seconds and its peak memory in megabytes."""
    faces._announced.add("YuNet")  # otherwise each process would print which detector it uses
    seconds = MEASURES[axis](point)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    queue.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6))


def in_own_process(axis: str, point) -> tuple[float, float]:
    """Return the seconds and megabytes of one point."""
    context = get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=measure, args=(axis, point, queue))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{axis} {point}: the process ended with exit code {process.exitcode}")
    return queue.get()


def slope(points, values) -> float:
    """Fit the exponent of growth, d log(value) / d log(point), by least squares."""
    return float(np.polyfit(np.log(points), np.log(values), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=PHOTOS)
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    grown: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        for axis, points in (
            ("evaluate", options.photos),
            ("features", options.photos),
            ("faces", FACES),
            ("frame", HEIGHTS),
        ):
            rows = []
            for point in points:
                argument = point
                if axis in ("evaluate", "features"):
                    argument = Path(folder) / str(point)
                    argument = argument if argument.is_dir() else linked_photos(point, argument)
                seconds, megabytes = in_own_process(axis, argument)
                rows.append({"point": point, "seconds": round(seconds, 5), "megabytes": round(megabytes)})
                print(f"{WORDS[axis]}: {point:6d}  {seconds:9.4f} s  {megabytes:6.0f} MB", flush=True)
            slopes = {name: round(slope(points, [row[name] for row in rows]), 2) for name in ("seconds", "megabytes")}
            grown[axis] = {"words": WORDS[axis], "rows": rows, "slopes": slopes}
            print(f"  slope of the time {slopes['seconds']}, of the memory {slopes['megabytes']}", flush=True)
    write_file(options.results, (json.dumps({"cores": os.cpu_count(), "growth": grown}, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
