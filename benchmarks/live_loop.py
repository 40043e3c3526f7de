"""The live loop, side by side: the usual recipe against ours, interleaved in one run. Prints a table and JSON.

    python benchmarks/live_loop.py [--run RUN] [--rounds 30] [--results FILE] [--photos FOLDER]

The usual loop (to the letter): frame resized to width 680, SSD face net on a 300×300 blob, faces cut without a margin
and resized to 224×224, one `model.predict` for all faces of the frame. Its classifier is built but not trained: that
takes the same time. Ours runs in three ways: every face is found and classified in "every frame"; "as shipped" a face
with a settled label is classified in every other frame; "every third" frame only is searched for faces, too. "Bare
networks" are the two networks' runs of "every frame" and nothing else. The loops take turns, in another order in every
round, and each runs alone for a while before its time counts: with what another loop leaves in the processor's cache,
it would not be its own time. Timings differ from minute to minute; only the ratios of one run count. What searching
less costs is told on a clip: how far boxes are off, how late new faces are seen.
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
from maskdet_utils.boxes import iou_matrix
from maskdet_utils.classifier import RELEASED
from maskdet_utils.detector import MaskDetector
from maskdet_utils.live import clips
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import read_photo
from maskdet_utils.tracking import Tracker

RESULTS = "benchmarks/results/live_loop.json"
WARMING_UP = 12  # frames, until every label is settled


class UsualLoop:
    """The recipe's live loop, see above; `step` takes a BGR frame."""

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
    """What the two networks of ours take alone, on inputs made ready beforehand."""

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
            net, blob = self.net.net_for(canvas.shape), cv2.dnn.blobFromImage(canvas)
            self.run = lambda: (net.setInput(blob), net.forward(self.net.outputs))

    def step(self, _):
        self.run()
        return self.classifier(self.batch)


class OurLoop:
    """`MaskDetector.track`: with `classify_all` every face in every frame; faces are looked for in every `detect_every`-th."""

    def __init__(self, detector: MaskDetector, classify_all: bool = False, detect_every: int = 1):
        self.detector, self.detect_every = detector, detect_every
        self.tracker = Tracker(settled=10**9) if classify_all else Tracker()

    def step(self, frame):
        self.detector.detect_every = self.detect_every
        return self.detector.track(frame, self.tracker)


def scene(count: int):
    """A frame 680 pixels wide, as the recipe resizes it, with `count` bare faces of the sample."""
    people = [1, 2, 3, 5][:count]
    frame, _ = next(clips.play(clips.cast_actors(people, [()] * count), 1, width=680, height=510))
    return frame


def time_steps(step, picture) -> float:
    """Milliseconds a frame of six steps in a row (ours does different things in them), after three that do not count.

    Each gets a new copy of the frame, as a camera's decoder would just have written it.
    """
    taken = []
    for _ in range(9):
        frame = picture.copy()
        start = time.perf_counter()
        step(frame)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.mean(taken[3:]))


def time_loops(run, rounds: int) -> list[dict]:
    """Milliseconds per frame of each loop for one face and for four, taken in turns so that a bad minute hits all."""
    rows, usual, rng = [], UsualLoop(), np.random.default_rng(0)
    ours = {}
    for name in ("yunet", "centerface"):
        try:
            ours[name] = MaskDetector.load(run, name)
        except AssetError:
            print(f"{name}: its file cannot be had, left out")
    for count in (1, 4):
        frame = scene(count)
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        loops = {"usual": (usual.step, bgr)}
        for name, detector in ours.items():
            loops[f"{name}, every frame"] = (OurLoop(detector, classify_all=True).step, frame)
            loops[f"{name}, bare networks"] = (BareNetworks(detector, frame).step, frame)
            loops[f"{name}, as shipped"] = (OurLoop(detector).step, frame)
            loops[f"{name}, every third"] = (OurLoop(detector, detect_every=3).step, frame)
        times: dict = {name: [] for name in loops}
        for name, (step, picture) in loops.items():
            for _ in range(WARMING_UP):
                answer = step(picture)
            if len(answer) != count:
                print(f"note: {name} finds {len(answer)} of {count} faces")
        for _ in range(rounds):
            for name in rng.permutation(list(loops)):
                times[name].append(time_steps(*loops[name]))
        times = {name: np.array(values) for name, values in times.items()}
        for name, values in times.items():
            low, middle, high = np.percentile(values, [10, 50, 90])
            row = {"loop": name, "faces": count, "milliseconds": middle, "low": low, "high": high}
            row["times_faster"] = float(np.median(times["usual"] / values))
            if name.endswith("every frame"):
                row["overhead"] = float(np.median(values / times[name.replace("every frame", "bare networks")])) - 1
            rows.append(row)
    return rows


def price_of_looking_less(run, name: str = "yunet", frames: int = 240) -> list[dict]:
    """On a clip of moving faces: the overlap of our boxes with those of a search in every frame, how late a face is seen."""
    try:
        detector = MaskDetector.load(run, name)
    except AssetError:
        return []
    empty, pictures = (
        np.full((510, 680, 3), 200, np.uint8),
        list(clips.play(clips.cast_actors([1, 2], [(), ()]), frames, 680, 510)),
    )
    pictures = [frame for frame, _ in pictures]
    truth = [np.array([face.box for face in detector.detect(frame)], float).reshape(-1, 4) for frame in pictures]
    rows = []
    for every in (1, 2, 3, 5):
        loop, found = OurLoop(detector, detect_every=every), []
        for frame, boxes in zip(pictures, truth, strict=True):
            said = np.array([face.box for face in loop.step(frame)], float).reshape(-1, 4)
            found += iou_matrix(boxes, said).max(axis=1, initial=0).tolist() if len(boxes) else []
        late = []
        for start in range(every):  # the face comes in at each place of the cycle
            loop = OurLoop(detector, detect_every=every)
            for _ in range(start):
                loop.step(empty)
            late.append(next(number for number, frame in enumerate(pictures) if loop.step(frame)))
        rows.append(
            {
                "every": every,
                "overlap": float(np.mean(found)),
                "overlap_low": float(np.percentile(found, 5)),
                "late": max(late),
            }
        )
    return rows


def compare_detectors(folder: Path) -> list[dict]:
    """Recall by face size, false boxes and time of each face detector on photos with a `boxes.csv`."""
    truth: dict = {}
    with open(folder / "boxes.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            truth.setdefault(row["path"], []).append([float(row[key]) for key in ("x", "y", "width", "height")])
    photos = {path: read_photo(folder / path) for path in truth}
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
            boxes = np.array(truth[path])
            right = iou_matrix(boxes, np.array([face.box for face in found]).reshape(-1, 4)) >= 0.4
            sizes += np.sqrt(boxes[:, 2] * boxes[:, 3]).tolist()
            hits += right.any(axis=1).tolist()
            false += int((~right.any(axis=0)).sum())
        sizes, hits = np.array(sizes), np.array(hits)
        recall = {f"recall_{low}": hits[(sizes >= low) & (sizes < high)].mean() for low, high in ((20, 40), (40, 1e9))}
        rows.append({"detector": name, **recall, "false_boxes": false / len(photos), "milliseconds": np.median(times)})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="run folder (default: the released classifier)")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    parser.add_argument("--photos", type=Path, help="whole photos with boxes.csv, to compare what the detectors find")
    options = parser.parse_args()
    run = Path(options.run).resolve() if options.run else RELEASED
    rows = time_loops(run, options.rounds)
    print(f"{'loop':28s} faces   ms a frame (10 % to 90 %)   times faster   overhead")
    for row in rows:
        overhead = f"{row['overhead']:9.0%}" if "overhead" in row else ""
        print(
            f"{row['loop']:28s} {row['faces']:5d}   {row['milliseconds']:7.1f} ({row['low']:.1f} to {row['high']:.1f})"
            f"   {row['times_faster']:14.1f} {overhead}"
        )
    price = price_of_looking_less(run)
    for row in price:
        print(
            f"faces looked for in every {row['every']}. frame: boxes overlap those of every frame by {row['overlap']:.2f} "
            f"(1 in 20 by less than {row['overlap_low']:.2f}), a new face is seen up to {row['late']} frames late"
        )
    compared = compare_detectors(options.photos) if options.photos else []
    known = json.loads(options.results.read_text())["detectors"] if options.results.is_file() else []
    for row in compared:
        print(
            f"{row['detector']:12s} recall {row['recall_20']:.3f} (20-40 px) {row['recall_40']:.3f} (40 px and more), "
            f"{row['false_boxes']:.2f} false boxes and {row['milliseconds']:.1f} ms a photo"
        )
    results = {"cores": os.cpu_count(), "loops": rows, "looking_less": price, "detectors": compared or known}
    write_file(options.results, (json.dumps(results, indent=1, default=float) + "\n").encode())


if __name__ == "__main__":
    main()
