"""Measure how much of the faces in crowded photos is hidden by what `maskdet annotate` draws.

    python benchmarks/labels.py FOLDER [--most 24] [--look FOLDER]

FOLDER holds photos and a boxes.csv (see `maskdet evaluate --boxes`), which only says which photos show the most faces.
The released classifier and the careful face detector mark them. A face counts as hidden if more than 30% of the pixels
of its box have changed, with a tenth of the box left out at each edge. That includes the lines of boxes.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from maskdet_utils.classifier import RELEASED
from maskdet_utils.detector import MaskDetector
from maskdet_utils.live.labels import Labels
from maskdet_utils.photos import read_photo

HIDDEN = 0.3  # the share of a face at which we no longer see who it is
EDGE = 0.1  # of the box, left out on each side


def changed_shares(photo: np.ndarray, marked: np.ndarray, boxes) -> list[float]:
    """Return for each box (x, y, width, height) the share of its inner pixels that differ between two pictures."""
    changed = (photo != marked).any(axis=2)
    shares = []
    for x, y, width, height in boxes:
        across, down = round(EDGE * width), round(EDGE * height)
        shares.append(float(changed[y + down : y + height - down, x + across : x + width - across].mean()))
    return shares


def crowded_photos(folder: Path, count: int) -> list[Path]:
    """Return the photos with the most boxes in `folder`/boxes.csv."""
    table = pd.read_csv(folder / "boxes.csv")
    counts = table.groupby("path").size().sort_values(ascending=False, kind="stable")
    return [folder / name for name in counts.index[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--most", type=int, default=24, metavar="N", help="how many photos (default: 24)")
    parser.add_argument(
        "--look", type=Path, metavar="FOLDER", help="also write the marked photos here, to look at them"
    )
    options = parser.parse_args()
    detector = MaskDetector.load(RELEASED, "careful")
    shares, texts, signs = [], 0, 0
    for path in crowded_photos(options.folder, options.most):
        photo = read_photo(path)
        faces = detector.detect(photo)
        labels = Labels(detector.classes, detector.mask_class)
        marked = labels.draw(photo, faces)
        shares += changed_shares(photo, marked, [face.box for face in faces])
        written = [label.text for label in labels.place(faces, photo.shape)]
        texts, signs = texts + sum(map(bool, written)), signs + written.count("")
        if options.look:
            options.look.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(options.look / f"{path.stem}.png"), marked[..., ::-1])
    hidden = sum(share > HIDDEN for share in shares)
    print(f"{len(shares)} faces in {options.most} photos: {texts} with a text, {signs} with a sign")
    print(f"hidden by more than {HIDDEN:.0%}: {hidden} ({hidden / len(shares):.1%}); mean {np.mean(shares):.1%}")


if __name__ == "__main__":
    main()
