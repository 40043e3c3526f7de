"""Measure which share of small faces is found in large frames, by the size of the face and of the frame.

    python benchmarks/reach.py FOLDER [--faces careful] [--results FILE]

FOLDER holds whole photos and their boxes.csv (see `maskdet evaluate --detect --boxes`). Each photo is scaled so that
the median of its marked faces has the wanted size, and photos are pasted side by side on gray canvases, as many as fit. A
face counts as found if the center of a found box lies in its box, and the other way round. Its size is the square root
of its area. Prints a table and writes JSON.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from maskdet_utils import faces
from maskdet_utils.paths import resolve, write_file
from maskdet_utils.photos import read_photo

RESULTS = "benchmarks/results/reach.json"
CANVASES = ((1280, 720), (1920, 1080), (4000, 3000), (6000, 4000), (6000, 1200))  # the last one is a panorama
SIZES = ((30, 40), (40, 60), (60, 90), (90, 140))  # pixels of a face
LARGEST_SCALE = 2.0  # photos are not enlarged by more than this: the result would look like no camera's


def canvases(photos: list, shape: tuple[int, int], size: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Paste photos in rows.

    Args:
        photos: Pairs of a photo, RGB uint8, and its boxes, (x, y, width, height), `(n, 4)`.
        shape: The canvases' (width, height) in pixels.
        size: The median size of each photo's faces in pixels.

    Yields:
        A canvas, RGB uint8, and the boxes on it, `(n, 4)`.
    """
    canvas, boxes = np.full((shape[1], shape[0], 3), 128, np.uint8), []
    x = y = row_height = 0
    for photo, marked in photos:
        scale = size / np.median(np.sqrt(marked[:, 2] * marked[:, 3]))
        width, height = (round(side * scale) for side in photo.shape[1::-1])
        if scale > LARGEST_SCALE or width > shape[0] or height > shape[1]:
            continue
        if x + width > shape[0]:
            x, y, row_height = 0, y + row_height, 0
        if y + height > shape[1]:
            yield canvas, np.concatenate(boxes)
            canvas, boxes = np.full_like(canvas, 128), []
            x = y = row_height = 0
        shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[y : y + height, x : x + width] = cv2.resize(photo, (width, height), interpolation=shrink)
        boxes.append(marked * scale + (x, y, 0, 0))
        x, row_height = x + width, max(row_height, height)
    if boxes:
        yield canvas, np.concatenate(boxes)


def is_found(marked: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return for each marked box `(n, 4)` whether a found box `(m, 4)` has its center there, and vice versa: bool `(n,)`."""
    centers, found_centers = marked[:, :2] + marked[:, 2:] / 2, found[:, :2] + found[:, 2:] / 2

    def holds(boxes, points):
        return ((points >= boxes[:, :2]) & (points <= boxes[:, :2] + boxes[:, 2:])).all(axis=-1)

    return (holds(marked, found_centers[:, None]).T & holds(found, centers[:, None])).any(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--faces", default="careful", help="the face detector (default: careful)")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    table = pd.read_csv(options.folder / "boxes.csv")
    photos = [
        (read_photo(options.folder / path), rows[["x", "y", "width", "height"]].to_numpy(float))
        for path, rows in table.groupby("path")
    ]
    detector, results = faces.face_detector(options.faces), []
    for shape in CANVASES:
        for low, high in SIZES:
            hits, false = [], 0
            for canvas, marked in canvases(photos, shape, (low * high) ** 0.5):
                found = np.array([face.box for face in detector.detect(canvas)]).reshape(-1, 4)
                sizes = np.sqrt(marked[:, 2] * marked[:, 3])
                hits += is_found(marked, found)[(sizes >= low) & (sizes < high)].tolist()
                false += int((~is_found(found, marked)).sum())
            row = {"canvas": shape, "from": low, "to": high, "faces": len(hits), "recall": float(np.mean(hits))}
            results.append({**row, "false": false})
            print(
                f"{shape[0]}×{shape[1]}, faces of {low}-{high} pixels: {row['recall']:.3f} of {len(hits)}", flush=True
            )
    write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
