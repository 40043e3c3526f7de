"""What notebook 04 trains on: photos, masks drawn on them, and the targets of both."""

import numpy as np
import pandas as pd

from . import datasets, public, sample
from .datasets import MASK_CLASSES, WORN_WRONG
from .synthesis import masks, synthesize

# How much of a mask that ends just below the tip of the nose is "with mask", where worn wrong is no class. One that ends
# just above it looks nearly the same: asking for 0 makes the network doubt proper masks.
UNDER_NOSE = 0.5
REAL_SHARE = 1 / 6  # of the third class: so many photos for each drawn picture


def with_sample(photos: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The photos (`file`, `label`, `split`, …) and those of the built-in sample, a fifth of which is for validation.

    In the sample each bare photo has a masked twin, so it takes back some of what a scraped collection teaches wrongly.
    """
    folder = sample.build()
    more, _ = datasets.read_class_folders(folder)
    more["split"] = np.where(datasets.folds_by_group(more, seed) == 0, "validation", "train")
    more["file"] = str(folder) + "/" + more["path"]
    return pd.concat([photos, more], ignore_index=True)


def tell_worn_wrong(photos: pd.DataFrame) -> pd.DataFrame:
    """The photos of the public data set with the third class as label where the audit saw a mask worn wrong.

    photos: with `path` and `label`. Their publisher calls them "with mask", like all others that show one.
    """
    remarks = public.read_table().set_index("path")["remark"].reindex(photos["path"]).fillna("")
    return photos.assign(label=np.where(remarks.str.startswith(public.REMARK_WORN_WRONG), WORN_WRONG, photos["label"]))


def draw_pictures(
    photos: pd.DataFrame, classes, folder, n_drawn: int, seed: int, *, cut_faces: bool = False
) -> pd.DataFrame:
    """Draw masks, masks worn wrong and occluders on the bare photos, see `synthesize.draw_variants`; nothing if the
    classes are not those of masks.

    photos: with `file` and `label`. n_drawn: masks worn right on each bare photo, and about as many other things.
    cut_faces: also cut the faces out of wide photos, of both classes. Returns `file`, `drawn_on`, `drawn` and `label`,
    that of the photo drawn on.
    """
    plan = {"right": n_drawn, "wrong": -(-3 * n_drawn // 5), "occluder": -(-n_drawn // 4), "nothing": int(cut_faces)}
    tables = []
    for label, wanted in ((classes[0], {"nothing": int(cut_faces)}), (classes[1], plan)):
        files = photos["file"][photos["label"] == label]
        is_asked_for = list(classes[:2]) == MASK_CLASSES and sum(wanted.values()) > 0
        table = synthesize.draw_variants(files if is_asked_for else [], f"{folder}/{label}", wanted, seed)
        tables.append(table.assign(label=label))
    return pd.concat(tables, ignore_index=True)


def pictures(photos: pd.DataFrame, drawn: pd.DataFrame, classes, n_drawn: int) -> tuple[list[str], np.ndarray]:
    """All pictures to train or validate with: their files, and targets float32 `(n, classes)`, rows of probabilities.

    Bare photos are listed several times, so that there are about as many of them as of masks. So are photos of the
    third class, if there is one: without real ones, "drawn" passes for "worn wrong", and "real" for "worn right".
    """
    bare = pd.concat([photos[["file", "label"]], drawn.query("drawn == 'nothing'")])
    masked, bare = (bare["file"][bare["label"] == label].tolist() for label in classes[:2])
    if len(drawn):
        bare = bare * (1 + n_drawn)
    others = drawn.query("drawn != 'nothing'")
    right = others["drawn"].map({"right": 1.0, "under_nose": UNDER_NOSE}).fillna(0.0).to_numpy()
    worn_wrong = others["drawn"].isin(masks.WRONG_WAYS).to_numpy()

    first = np.concatenate([np.ones(len(masked)), np.zeros(len(bare)), right])
    targets = np.zeros((len(first), len(classes)), np.float32)
    targets[:, 0], targets[:, 1] = first, 1 - first
    files = masked + bare + others["file"].tolist()
    if len(classes) == 3:
        targets[len(masked) + len(bare) :][worn_wrong] = (0, 0, 1)
        real = photos["file"][photos["label"] == classes[2]].tolist()
        real = real * max(1, round(REAL_SHARE * worn_wrong.sum() / max(1, len(real))))
        files, targets = files + real, np.concatenate([targets, np.tile(np.float32([0, 0, 1]), (len(real), 1))])
    return files, targets
