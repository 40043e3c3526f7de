"""The training of notebook 04 as one function: from a table of photos to a classifier."""

import numpy as np
import pandas as pd

from . import audit, augment, datasets, model, public, sample, synthesis, training
from .model import keras

MASK_CLASSES = ["with_mask", "without_mask"]
WORN_WRONG = "worn_incorrectly"  # the third class, if there is one
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
    return photos.assign(label=np.where(remarks.str.startswith(audit.WORN_WRONG), WORN_WRONG, photos["label"]))


def draw(photos: pd.DataFrame, classes, folder, n_drawn: int, seed: int, cut_faces: bool = False) -> pd.DataFrame:
    """Draw masks, masks worn wrong and confusers on the bare photos, see `synthesis.draw_variants`; nothing if the
    classes are not those of masks.

    photos: with `file` and `label`. n_drawn: masks worn right on each bare photo, and about as many other things.
    cut_faces: also cut the faces out of wide photos, of both classes. Returns `file`, `drawn_on`, `drawn` and `label`,
    that of the photo drawn on.
    """
    plan = {"right": n_drawn, "wrong": -(-3 * n_drawn // 5), "confuser": -(-n_drawn // 4), "nothing": int(cut_faces)}
    tables = []
    for label, wanted in ((classes[0], {"nothing": int(cut_faces)}), (classes[1], plan)):
        files = photos["file"][photos["label"] == label]
        is_asked_for = list(classes[:2]) == MASK_CLASSES and sum(wanted.values()) > 0
        table = synthesis.draw_variants(files if is_asked_for else [], f"{folder}/{label}", wanted, seed)
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
    worn_wrong = others["drawn"].isin(synthesis.masks.WRONG_WAYS).to_numpy()

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


def train(
    photos: pd.DataFrame,
    classes,
    folder,
    image_size: int = 160,
    n_drawn: int = 1,
    n_views: int = 3,
    epochs: int = 30,
    fine_tune_epochs: int = 3,
    cut_faces: bool = False,
    seed: int = 0,
    callbacks=(),
) -> keras.Model:
    """Train a classifier just as notebook 04 does, step by step: draw, maps once, head, fine-tuning of the top,
    even odds.

    photos: with `file`, `label` (one of `classes`) and `split` ("train", "validation"; other rows are not looked at).
    classes: names in output order, the mask first; with a third, `WORN_WRONG`, masks worn wrong are told apart. folder:
    for the pictures that are drawn. The other parameters are those of the notebook. Returns the classifier, see
    `model.build_classifier`.
    """
    model.set_seed(seed)
    parts = {}
    for part in ("train", "validation"):
        chosen = photos[photos["split"] == part]
        drawn = draw(chosen, classes, f"{folder}/{part}", n_drawn, seed, cut_faces)
        parts[part] = pictures(chosen, drawn, classes, n_drawn)
    base = model.build_base(image_size)
    if fine_tune_epochs:
        lower, upper = model.split_base(base)
        maps, targets = training.maps_of_views(lower, *parts["train"], n_views, seed, augment.worsen, augment.move)
        judged = training.maps_of_views(lower, *parts["validation"], 1, seed + 1000, augment.worsen)
        features, judged_features = (training.features_of_maps(upper, found) for found in (maps, judged[0]))
    else:
        features, targets = training.features_of_views(
            base, *parts["train"], n_views, seed, augment.worsen, augment.move
        )
        judged = training.features_of_views(base, *parts["validation"], 1, seed + 1000, augment.worsen)
        judged_features = judged[0]

    keras.utils.set_random_seed(seed)
    head = model.build_head(len(classes))
    classifier = model.build_classifier(base, head)
    training.train_head(head, (features, targets), (judged_features, judged[1]), epochs, callbacks=callbacks)
    if fine_tune_epochs:
        training.fine_tune(upper, head, maps, targets, fine_tune_epochs, validation=judged, callbacks=callbacks)
    training.even_odds(head, targets)
    return classifier
