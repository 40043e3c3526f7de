"""Compare our live loop with the usual recipe, interleaved in one run. Prints a table and writes JSON.

    python benchmarks/live_loop.py [--run RUN] [--rounds 30] [--results FILE] [--photos FOLDER]

The usual loop follows the recipe to the letter: the frame is resized to width 680, the SSD face net runs on a 300×300
blob, faces are cropped without a margin and resized to 224×224, and one `model.predict` classifies all faces of the
frame. Its classifier is built but not trained, which takes the same time.

Ours runs in three ways. "every frame" finds and classifies every face in every frame. "as shipped" classifies a face
with a settled label only in every other frame, searches every other frame for faces, and has a full look twice a second
(at 30 frames per second). "every third" searches only every third frame for faces, without full looks. "bare networks"
runs the two networks of "every frame" and nothing else.

The loops take turns, in a different order in each round. Each one runs alone for a while before we time it. Otherwise,
it would start with whatever another loop left in the processor's cache. Timings differ from minute to minute, so only
the ratios within one run count.

We use a clip to measure what searching less often costs: how far boxes are off, and how late new faces are found.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np

from maskdet_utils import faces
from maskdet_utils.assets import AssetError
from maskdet_utils.classifier import RELEASED
from maskdet_utils.detector import MaskDetector
from maskdet_utils.evaluate.matching import iou_matrix
from maskdet_utils.live import clips
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import read_photo
from maskdet_utils.tracking import Tracker

RESULTS = "benchmarks/results/live_loop.json"
WARMING_UP = 12  # frames; enough for every label to settle
RATE = 30  # frames per second of the camera that we imagine
PERIOD = RATE // 2  # frames from one full look to the next


class UsualLoop:
    """The recipe's live loop, see above. `step` takes a BGR frame."""

    def __init__(self):
        from maskdet_utils.model import build_base, keras

        base = build_base(224)
        pooled = keras.layers.AveragePooling2D((7, 7))(base.output)
        dense = keras.layers.Dense(128, activation="relu")(keras.layers.Flatten()(pooled))
        output = keras.layers.Dense(2, activation="softmax")(keras.layers.Dropout(0.5)(dense))
        self.model = keras.Model(base.input, output)
        self.preprocess = keras.applications.mobilenet_v2.preprocess_input
        self.net = faces.OpenCvSsd().net

    def step(self, frame):
        height, width = frame.shape[:2]
        self.net.setInput(cv2.dnn.blobFromImage(frame, 1.0, (300, 300), (104.0, 177.0, 123.0)))
        found = self.net.forward()
        crops = []
        for row in found[0, 0]:
            if row[2] > 0.5:
                left, top, right, bottom = (row[3:7] * (width, height, width, height)).astype(int)
                left, top, right, bottom = max(0, left), max(0, top), min(width - 1, right), min(height - 1, bottom)
                if right > left and bottom > top:
                    face = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_BGR2RGB)
                    crops.append(self.preprocess(cv2.resize(face, (224, 224)).astype(np.float32)))
        return self.model.predict(np.array(crops), batch_size=32, verbose=0) if crops else []


class BareNetworks:
    """Our two networks alone, on inputs that are prepared in advance."""

    def __init__(self, detector: MaskDetector, frame):
        self.classifier, self.net = detector.classifier, detector.face_detector
        size = self.classifier.input_size
        self.batch = np.zeros((len(detector.detect(frame)), size, size, 3), np.float32)
        scale = self.net.side / max(frame.shape[:2])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if isinstance(self.net, faces.YuNet):
            self.net.net.setInputSize(small.shape[1::-1])
            self.run = lambda: self.net.net.detect(small)
        else:
            canvas = np.zeros((*(-(-side // 32) * 32 for side in small.shape[:2]), 3), np.uint8)
            self.run = lambda: self.net.run(canvas)

    def step(self, _):
        self.run()
        return self.classifier(self.batch)


class OurLoop:
    """The loop of `MaskDetector.track`.

    Args:
        detector: The detector. Several loops may share it.
        classify_all: True to classify every face in every frame.
        detect_every: 3 searches for faces in every third frame only.
        full_look: The face detector for full looks.
    """

    def __init__(self, detector: MaskDetector, classify_all: bool = False, detect_every: int = 1, full_look=None):
        self.detector, self.detect_every, self.full_look = detector, detect_every, full_look
        self.tracker = Tracker(settled=10**9 if classify_all else Tracker.settled, seconds=1 / RATE)

    def step(self, frame):
        self.detector.detect_every, self.detector.full_look = self.detect_every, self.full_look
        return self.detector.track(frame, self.tracker)


def scene(count: int):
    """Return a frame with `count` bare faces of the sample, 680 pixels wide as in the recipe."""
    people = [1, 2, 3, 5][:count]
    frame, _ = next(clips.play(clips.cast_actors(people, [()] * count), 1, width=680, height=510))
    return frame


def time_steps(step, picture, count: int) -> float:
    """Time `count` steps in a row after three untimed ones, in milliseconds per frame.

    We need several steps because ours does different things in them. Each step gets a new copy of the frame, as if a
    camera's decoder had just written it.
    """
    times = []
    for _ in range(3 + count):
        frame = picture.copy()
        start = time.perf_counter()
        step(frame)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.mean(times[3:]))


def time_loops(run, rounds: int) -> list[dict]:
    """Time each loop with one face and with four, in milliseconds per frame.

    The loops take turns, so that a slow minute of the machine affects all of them.

    Args:
        run: The run folder of the classifier.
        rounds: How many turns each loop gets.

    Returns:
        One row per loop and number of faces. `times_faster` compares it with the usual loop, and `overhead` compares
        "every frame" with its bare networks.
    """
    rows, usual, rng = [], UsualLoop(), np.random.default_rng(0)
    careful = faces.face_detector("careful")
    ours = {}
    for name in ("yunet", "centerface"):
        try:
            ours[name] = MaskDetector.load(run, name)
        except AssetError:
            print(f"{name}: skipped, because its file is not available")
    for count in (1, 4):
        frame = scene(count)
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        loops = {"usual": (usual.step, bgr)}
        for name, detector in ours.items():
            loops[f"{name}, every frame"] = (OurLoop(detector, classify_all=True).step, frame)
            loops[f"{name}, bare networks"] = (BareNetworks(detector, frame).step, frame)
            loops[f"{name}, as shipped"] = (OurLoop(detector, detect_every=2, full_look=careful).step, frame)
            loops[f"{name}, every third"] = (OurLoop(detector, detect_every=3).step, frame)
        times: dict = {name: [] for name in loops}
        for name, (step, picture) in loops.items():
            for _ in range(WARMING_UP):
                found = step(picture)
            if len(found) != count:
                print(f"note: {name} finds {len(found)} of {count} faces")
        for _ in range(rounds):
            for name in rng.permutation(list(loops)):
                times[name].append(time_steps(*loops[name], PERIOD if name.endswith("as shipped") else 6))
        times = {name: np.array(values) for name, values in times.items()}
        for name, values in times.items():
            low, median, high = np.percentile(values, [10, 50, 90])
            row = {"loop": name, "faces": count, "milliseconds": median, "low": low, "high": high}
            row["times_faster"] = float(np.median(times["usual"] / values))
            if name.endswith("every frame"):
                row["overhead"] = float(np.median(values / times[name.replace("every frame", "bare networks")])) - 1
            rows.append(row)
    return rows


def price_of_looking_less(run, name: str = "yunet", frames: int = 240) -> list[dict]:
    """Measure what searching less often costs, on a clip of moving faces.

    Args:
        run: The run folder of the classifier.
        name: The face detector.
        frames: How many frames the clip has.

    Returns:
        One row for each interval between searches: `every`, the mean `overlap` of our boxes with those of a search in
        every frame (intersection over union), its 5th percentile `overlap_low`, and `late`, the most frames that can
        pass before a new face is found. The list is empty if the detector's file is not available.
    """
    try:
        detector = MaskDetector.load(run, name)
    except AssetError:
        return []
    empty, pictures = (
        np.full((510, 680, 3), 200, np.uint8),
        list(clips.play(clips.cast_actors([1, 2], [(), ()]), frames, 680, 510)),
    )
    pictures = [frame for frame, _ in pictures]
    ground_truth = [np.array([face.box for face in detector.detect(frame)], float).reshape(-1, 4) for frame in pictures]
    rows = []
    for every in (1, 2, 3, 5):
        loop, overlaps = OurLoop(detector, detect_every=every), []
        for frame, boxes in zip(pictures, ground_truth, strict=True):
            found = np.array([face.box for face in loop.step(frame)], float).reshape(-1, 4)
            overlaps += iou_matrix(boxes, found).max(axis=1, initial=0).tolist() if len(boxes) else []
        late = []
        for start in range(every):  # the face appears at each point of the cycle
            loop = OurLoop(detector, detect_every=every)
            for _ in range(start):
                loop.step(empty)
            late.append(next(number for number, frame in enumerate(pictures) if loop.step(frame)))
        rows.append(
            {
                "every": every,
                "overlap": float(np.mean(overlaps)),
                "overlap_low": float(np.percentile(overlaps, 5)),
                "late": max(late),
            }
        )
    return rows


def compare_detectors(folder: Path) -> list[dict]:
    """Compare the face detectors on photos with a `boxes.csv`: recall by face size, false boxes, and time per photo."""
    ground_truth: dict = {}
    with open(folder / "boxes.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ground_truth.setdefault(row["path"], []).append([float(row[key]) for key in ("x", "y", "width", "height")])
    photos = {path: read_photo(folder / path) for path in ground_truth}
    rows = []
    for name in faces.DETECTORS:
        try:
            detector = faces.face_detector(name)
        except AssetError:
            continue
        sizes, hits, false, times = [], [], 0, []
        for path, photo in photos.items():
            start = time.perf_counter()
            found = detector.detect(photo)
            times.append(1000 * (time.perf_counter() - start))
            boxes = np.array(ground_truth[path])
            matches = iou_matrix(boxes, np.array([face.box for face in found]).reshape(-1, 4)) >= 0.4
            sizes += np.sqrt(boxes[:, 2] * boxes[:, 3]).tolist()
            hits += matches.any(axis=1).tolist()
            false += int((~matches.any(axis=0)).sum())
        sizes, hits = np.array(sizes), np.array(hits)
        recall = {f"recall_{low}": hits[(sizes >= low) & (sizes < high)].mean() for low, high in ((20, 40), (40, 1e9))}
        rows.append({"detector": name, **recall, "false_boxes": false / len(photos), "milliseconds": np.median(times)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="run folder (default: the released classifier)")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    parser.add_argument("--photos", type=Path, help="whole photos with boxes.csv, to compare the face detectors on")
    options = parser.parse_args()
    run = Path(options.run).resolve() if options.run else RELEASED
    rows = time_loops(run, options.rounds)
    print(f"{'loop':28s} faces   ms per frame (10% to 90%)   times faster   overhead")
    for row in rows:
        overhead = f"{row['overhead']:9.0%}" if "overhead" in row else ""
        print(
            f"{row['loop']:28s} {row['faces']:5d}   {row['milliseconds']:7.1f} ({row['low']:.1f} to {row['high']:.1f})"
            f"   {row['times_faster']:14.1f} {overhead}"
        )
    price = price_of_looking_less(run)
    for row in price:
        print(
            f"search in 1 of {row['every']} frames: the boxes overlap those of a search in every frame by {row['overlap']:.2f} "
            f"(1 in 20 by less than {row['overlap_low']:.2f}), and a new face is found up to {row['late']} frames late"
        )
    compared = compare_detectors(options.photos) if options.photos else []
    known = json.loads(options.results.read_text())["detectors"] if options.results.is_file() else []
    for row in compared:
        print(
            f"{row['detector']:12s} recall {row['recall_20']:.3f} (20-40 px) {row['recall_40']:.3f} (at least 40 px), "
            f"{row['false_boxes']:.2f} false boxes and {row['milliseconds']:.1f} ms per photo"
        )
    results = {"cores": os.cpu_count(), "loops": rows, "looking_less": price, "detectors": compared or known}
    write_file(options.results, (json.dumps(results, indent=1, default=float) + "\n").encode())


if __name__ == "__main__":
    main()
