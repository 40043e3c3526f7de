"""What notebook 07 trains on: photos, pictures with masks drawn on those photos, and the targets of both."""

import numpy as np
import pandas as pd

from . import datasets, public, sample
from .datasets import MASK_CLASSES, WORN_WRONG
from .synthesis import synthesize, wearing

# The target of "with mask" for a mask that ends just below the tip of the nose, when there are two classes. A mask that
# ends just above it looks nearly the same, so a target of 0 would make the network doubt masks that are worn correctly.
UNDER_NOSE = 0.5
REAL_SHARE = 1 / 6  # photos of the third class per drawn picture of it


def with_sample(photos: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Add the photos of the built-in sample, a fifth of them to the validation set and the others to the training set.

    In the sample, each bare photo has a masked twin. This corrects some of the wrong things that a network learns from
    a scraped collection.

    Args:
        photos: a table with the columns `file`, `label`, and `split`, and any others.
        seed: makes the split of the sample repeatable.

    Returns:
        The table with the rows of the sample added.

    Introduced in notebook 07.
    """
    folder = sample.build()
    sample_photos, _ = datasets.read_class_folders(folder)
    sample_photos["split"] = np.where(datasets.folds_by_group(sample_photos, seed) == 0, "validation", "train")
    sample_photos["file"] = str(folder) + "/" + sample_photos["path"]
    return pd.concat([photos, sample_photos], ignore_index=True)


def tell_worn_wrong(photos: pd.DataFrame) -> pd.DataFrame:
    """Give photos of the public data set the label of the third class where the audit saw a mask worn incorrectly.

    The publisher labels them "with mask", like every photo with a mask.

    Args:
        photos: a table with the columns `path` and `label`, and any others.

    Returns:
        A copy of the table with the new labels.

    Introduced in notebook 07.
    """
    remarks = public.read_table().set_index("path")["remark"].reindex(photos["path"]).fillna("")
    return photos.assign(label=np.where(remarks.str.startswith(public.REMARK_WORN_WRONG), WORN_WRONG, photos["label"]))


def draw_pictures(
    photos: pd.DataFrame, classes, folder, n_drawn: int, seed: int, *, cut_faces: bool = False
) -> pd.DataFrame:
    """Draw masks worn correctly, masks worn incorrectly, and occluders on the bare photos.

    Args:
        photos: a table with the columns `file` and `label`.
        classes: the names of the classes in output order. If they are not the mask classes, nothing is drawn.
        folder: where the pictures are written.
        n_drawn: how many correctly worn masks are drawn on each bare photo, plus 3/5 as many incorrectly worn ones and 1/4
            as many occluders, both rounded up.
        seed: makes the pictures repeatable.
        cut_faces: whether faces are also cut out of wide photos, in the first two classes.

    Returns:
        A table with the columns `file`, `drawn_on`, and `drawn` (see `synthesize.draw_variants`), and `label`, the
        label of the photo that was drawn on.

    Introduced in notebook 07.
    """
    plan = {"right": n_drawn, "wrong": -(-3 * n_drawn // 5), "occluder": -(-n_drawn // 4), "nothing": int(cut_faces)}
    tables = []
    for label, counts in ((classes[0], {"nothing": int(cut_faces)}), (classes[1], plan)):
        files = photos["file"][photos["label"] == label]
        is_needed = list(classes[:2]) == MASK_CLASSES and sum(counts.values()) > 0
        table = synthesize.draw_variants(files if is_needed else [], f"{folder}/{label}", counts, seed)
        tables.append(table.assign(label=label))
    return pd.concat(tables, ignore_index=True)


def pictures(photos: pd.DataFrame, drawn: pd.DataFrame, classes, n_drawn: int) -> tuple[list[str], np.ndarray]:
    """List all pictures of the training set or the validation set, with their targets.

    Bare photos are listed several times, so that there are about as many of them as of masks. So are photos of the
    third class, if there is one: without real ones, the network learns that "drawn" means "worn incorrectly" and "real"
    means "worn correctly".

    Args:
        photos: a table with the columns `file` and `label`.
        drawn: the table from `draw_pictures` for these photos.
        classes: the names of the two or three classes in output order.
        n_drawn: the same number as in `draw_pictures`.

    Returns:
        The files, and the targets float32 `(n, classes)`: each row holds the probabilities of the classes.

    Introduced in notebook 07.
    """
    undrawn = pd.concat([photos[["file", "label"]], drawn.query("drawn == 'nothing'")])
    masked, bare = (undrawn["file"][undrawn["label"] == label].tolist() for label in classes[:2])
    if len(drawn):
        bare = bare * (1 + n_drawn)
    altered = drawn.query("drawn != 'nothing'")
    altered_targets = altered["drawn"].map({"right": 1.0, "under_nose": UNDER_NOSE}).fillna(0.0).to_numpy()
    worn_wrong = altered["drawn"].isin(wearing.WRONG_WAYS).to_numpy()

    mask_targets = np.concatenate([np.ones(len(masked)), np.zeros(len(bare)), altered_targets])
    targets = np.zeros((len(mask_targets), len(classes)), np.float32)
    targets[:, 0], targets[:, 1] = mask_targets, 1 - mask_targets
    files = masked + bare + altered["file"].tolist()
    if len(classes) == 3:
        targets[len(masked) + len(bare) :][worn_wrong] = (0, 0, 1)
        real = photos["file"][photos["label"] == classes[2]].tolist()
        real = real * max(1, round(REAL_SHARE * worn_wrong.sum() / max(1, len(real))))
        files, targets = files + real, np.concatenate([targets, np.tile(np.float32([0, 0, 1]), (len(real), 1))])
    return files, targets
