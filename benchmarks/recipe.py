"""The training of notebook 07 as one function, to train variants of it and to compare it with the notebook."""

import pandas as pd

from maskdet_utils import augment, fine_tuning, model, training
from maskdet_utils.model import keras
from maskdet_utils.training_set import draw_pictures, pictures


def train(
    photos: pd.DataFrame,
    classes,
    folder,
    *,
    image_size: int = 160,
    n_drawn: int = 1,
    n_views: int = 3,
    epochs: int = 30,
    fine_tune_epochs: int = 3,
    cut_faces: bool = False,
    seed: int = 0,
    callbacks=(),
) -> keras.Model:
    """Train a classifier just as notebook 07 does, step by step: draw, maps once, head, fine-tuning of the top,
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
        drawn = draw_pictures(chosen, classes, f"{folder}/{part}", n_drawn, seed, cut_faces=cut_faces)
        parts[part] = pictures(chosen, drawn, classes, n_drawn)
    base = model.build_base(image_size)
    if fine_tune_epochs:
        lower, upper = fine_tuning.split_base(base)
        maps, targets = fine_tuning.feature_maps_of_views(
            lower, *parts["train"], n_views, seed, change=augment.degrade, move=augment.random_affine
        )
        judged = fine_tuning.feature_maps_of_views(lower, *parts["validation"], 1, seed + 1000, change=augment.degrade)
        features, judged_features = (fine_tuning.features_of_feature_maps(upper, found) for found in (maps, judged[0]))
    else:
        features, targets = training.features_of_views(
            base, *parts["train"], n_views, seed, change=augment.degrade, move=augment.random_affine
        )
        judged = training.features_of_views(base, *parts["validation"], 1, seed + 1000, change=augment.degrade)
        judged_features = judged[0]

    keras.utils.set_random_seed(seed)
    head = model.build_head(len(classes))
    classifier = model.build_classifier(base, head)
    training.train_head(head, (features, targets), (judged_features, judged[1]), epochs, callbacks=callbacks)
    if fine_tune_epochs:
        fine_tuning.fine_tune(upper, head, maps, targets, fine_tune_epochs, validation=judged, callbacks=callbacks)
    fine_tuning.correct_prior(head, targets)
    return classifier
