"""Train as notebook 07 does, as one function. We use it to train variants and to compare with the notebook."""

import numpy as np
import pandas as pd

from maskdet_utils import augment, fine_tuning, model, street_views, training
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
    add_street: bool = False,
    cut: str = fine_tuning.CUT,
    seed: int = 0,
    teachers=(),
    callbacks=(),
) -> keras.Model:
    """Train a classifier with the steps of notebook 07.

    The steps are: draw masks, compute feature maps once, train the head, fine-tune the top of the base, and set the prior of
    "with mask" to one half (see `fine_tuning.PRIORS`).

    Args:
        photos: `file`, `label` (one of `classes`), and `split` ("train" or "validation"; other rows are ignored).
        classes: The class names in output order, the mask first. With `WORN_WRONG` as a third class, the classifier
            learns to recognize masks worn incorrectly.
        folder: Where to write the drawn pictures.
        image_size: As in the notebook.
        n_drawn: As in the notebook.
        n_views: As in the notebook.
        epochs: As in the notebook.
        fine_tune_epochs: As in the notebook. With 0, the base stays frozen.
        cut_faces: As in the notebook.
        add_street: As in the notebook.
        cut: As in the notebook.
        seed: As in the notebook.
        teachers: Classifiers from this function, trained with the same `cut`. If there are any, each target becomes the
            mean of itself and `mean_answer` (Hinton et al., "Distilling the knowledge in a neural network", 2015).
        callbacks: Keras callbacks for both stages of training.

    Returns:
        The classifier, see `model.build_classifier`.
    """
    model.set_seed(seed)
    sets = {}
    for name in ("train", "validation"):
        chosen = photos[photos["split"] == name]
        drawn = draw_pictures(chosen, classes, f"{folder}/{name}", n_drawn, seed, cut_faces=cut_faces)
        sets[name] = pictures(chosen, drawn, classes, n_drawn)
    base = model.build_base(image_size)
    if fine_tune_epochs or add_street:
        lower, upper = fine_tuning.split_base(base, cut)
        maps, targets = fine_tuning.feature_maps_of_views(
            lower, *sets["train"], n_views, seed, change=augment.degrade, move=augment.random_affine
        )
        if add_street:
            maps, targets = street_views.add(lower, maps, targets, classes, folder=f"{folder}/street", seed=seed)
        if teachers:
            targets = (targets + mean_answer(teachers, cut, maps, targets)) / 2
        validation = fine_tuning.feature_maps_of_views(
            lower, *sets["validation"], 1, seed + 1000, change=augment.degrade
        )
        features, val_features = (fine_tuning.features_of_feature_maps(upper, found) for found in (maps, validation[0]))
    else:
        features, targets = training.features_of_views(
            base, *sets["train"], n_views, seed, change=augment.degrade, move=augment.random_affine
        )
        validation = training.features_of_views(base, *sets["validation"], 1, seed + 1000, change=augment.degrade)
        val_features = validation[0]

    keras.utils.set_random_seed(seed)
    head = model.build_head(len(classes))
    classifier = model.build_classifier(base, head)
    training.train_head(head, (features, targets), (val_features, validation[1]), epochs, callbacks=callbacks)
    if fine_tune_epochs:
        fine_tune(upper, head, maps, targets, fine_tune_epochs, validation=validation, callbacks=callbacks)
    fine_tuning.correct_prior(head, targets)
    return classifier


def mean_answer(teachers, cut: str, feature_maps: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Ask trained classifiers about feature maps, as if their prior hadn't been corrected.

    Args:
        teachers: classifiers from `train`.
        cut: where their base is split. The layers up to there still have ImageNet's weights.
        feature_maps: `(n, height, width, channels)`, see `fine_tuning.feature_maps_of_views`.
        targets: `(n, classes)`. Their frequencies are the teachers' prior.

    Returns:
        The mean of the teachers' probabilities, float32 `(n, classes)`.
    """
    prior = targets.mean(axis=0) / fine_tuning.PRIORS[targets.shape[1]]
    answers = np.zeros(targets.shape, np.float32)
    for teacher in teachers:
        upper = fine_tuning.split_base(teacher.get_layer("mobilenetv2"), cut)[1]
        features = fine_tuning.features_of_feature_maps(upper, feature_maps)
        head = keras.Sequential(teacher.get_layer("head").layers[1:])  # the features are pooled already
        probabilities = head.predict(features, verbose=0) * prior
        answers += probabilities / probabilities.sum(axis=1, keepdims=True) / len(teachers)
    return answers


def fine_tune(
    upper, head, feature_maps, targets, epochs: int, *, learning_rate: float = 3e-4, validation=None, callbacks=()
) -> keras.callbacks.History:
    """Train the upper part of the base together with the head, on feature maps that were computed once.

    Batch normalization stays frozen: its statistics come from a million photos, ours would come from a few. The
    learning rate rises during the first 5% of the steps and then falls to 0 along a cosine, so the last steps change
    little, and there is no early stopping. The model ends up with the moving average of its weights over about the last
    quarter of the steps, which varies less from run to run.

    Args:
        upper: the upper part of the base, see `split_base`. It is trained in place.
        head: the model from `model.build_head`. It is trained in place.
        feature_maps: `(n, height, width, channels)`, see `fine_tuning.feature_maps_of_views`.
        targets: `(n, classes)`.
        epochs: the number of epochs.
        learning_rate: Adam's largest step size.
        validation: a pair (feature maps, targets) to measure progress on, or None.
        callbacks: Keras callbacks, such as `EpochPrinter`.

    Returns:
        Keras's `History`.
    """
    for layer in upper.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    inputs = keras.Input(upper.input_shape[1:])
    model = keras.Model(inputs, head(upper(inputs)))
    batches = fine_tuning.Batches(feature_maps, targets, seed=0)
    steps = epochs * len(batches)
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=learning_rate, warmup_steps=warmup
    )
    adam = keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=max(0, 1 - 4 / steps))
    model.compile(adam, loss="categorical_crossentropy", metrics=["accuracy"])
    validation_data = fine_tuning.Batches(*validation) if validation is not None else None
    return model.fit(
        batches,
        validation_data=validation_data,
        epochs=epochs,
        verbose=0,
        shuffle=False,  # the batches shuffle themselves
        callbacks=list(callbacks),
    )
