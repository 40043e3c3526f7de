"""Train the classifier: first the head on features that are computed once, then the upper base with the head."""

from itertools import islice

import numpy as np

from . import export
from .model import keras
from .photos import PhotoError, fit_to_input, read_ahead, read_photo


class EpochPrinter(keras.callbacks.Callback):
    """Print one short line per epoch, because a progress bar fills a saved notebook."""

    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch + 1:2d}:  " + "  ".join(f"{name} {value:.3f}" for name, value in logs.items()))


def compile_classifier(classifier: keras.Model, learning_rate=1e-4) -> None:
    """Compile a classifier with Adam, cross-entropy, and accuracy, as notebook 04 explains.

    Args:
        classifier: any model with softmax outputs.
        learning_rate: Adam's step size, a number or a Keras learning rate schedule.
    """
    classifier.compile(
        optimizer=keras.optimizers.Adam(learning_rate), loss="categorical_crossentropy", metrics=["accuracy"]
    )


def early_stopping(patience: int = 5) -> keras.callbacks.EarlyStopping:
    """Stop when the validation loss has not improved for `patience` epochs, and restore the best epoch's weights."""
    return keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)


def feature_maps_of_views(
    network, paths, targets, n_views: int, seed: int, *, change=None, move=None, batch_size: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Run `n_views` augmented views of each photo through a frozen network once, and keep the feature maps.

    Nothing is trained here, so the network runs as LiteRT, which is twice as fast. Threads read the next photos
    meanwhile.

    Args:
        network: the base or its lower part. It takes pixels scaled to −1…1.
        paths: the photos.
        targets: `(photos, classes)`, the target probabilities of each photo.
        n_views: how many views to make of each photo. With 0, each photo runs once and unchanged.
        seed: makes the views repeatable.
        change: `change(photo, rng)` alters a view before it is resized to the network's input, see `augment.degrade`.
        move: `move(photo, rng)` alters a view after it is resized, see `augment.random_affine`.
        batch_size: how many views the network takes at once.

    Returns:
        Feature maps float16 `(n, height, width, channels)`, which take half the memory and train as well, and targets
        float32 `(n, classes)`. n is photos × max(1, n_views): all photos once, then all of them again, and so on.

    Raises:
        PhotoError: a photo cannot be read.
    """
    paths = list(paths)
    feature_maps = np.empty((len(paths) * max(1, n_views), *network.output_shape[1:]), np.float16)
    for start, outputs in _run_views(network, paths, n_views, seed, change, move, batch_size):
        feature_maps[start : start + len(outputs)] = outputs
    return feature_maps, np.tile(np.asarray(targets, np.float32), (max(1, n_views), 1))


def _run_views(network, paths: list, n_views: int, seed: int, change, move, batch_size: int = 16):
    """Yield each batch's outputs together with the number of its first view."""
    from tqdm.auto import tqdm

    lite, size = export.as_litert(network), network.input_shape[1]

    def read_view(number: int) -> np.ndarray:
        rng = np.random.default_rng((seed, number))
        path = paths[number % len(paths)]
        try:
            photo = read_photo(path, at_least=size)
        except PhotoError as error:
            raise PhotoError(f"{path}: {error}") from None
        if n_views and change is not None:
            photo = change(photo, rng)
        photo = fit_to_input(photo, size)
        return move(photo, rng) if n_views and move is not None else photo

    total = len(paths) * max(1, n_views)
    reads = tqdm(read_ahead(read_view, range(total), 2 * batch_size), total=total, desc="feature maps", leave=False)
    views = (view for _, view in reads)
    for start in range(0, total, batch_size):
        pixels = np.stack(list(islice(views, batch_size))).astype(np.float32)
        yield start, lite(pixels / 127.5 - 1)


def features_of_feature_maps(upper: keras.Model, feature_maps: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Run feature maps through the upper part of the base, and pool its outputs to features.

    Args:
        upper: the upper part of the base, see `model.split_base`.
        feature_maps: `(n, height, width, channels)`, see `feature_maps_of_views`.
        batch_size: how many feature maps the network takes at once.

    Returns:
        Features float32 `(n, 1280)`.
    """
    lite = export.as_litert(upper)
    starts = range(0, len(feature_maps), batch_size)
    return np.concatenate([lite(feature_maps[start : start + batch_size]).mean(axis=(1, 2)) for start in starts])


def features_of_views(base, paths, targets, n_views: int, seed: int, *, change=None, move=None):
    """Run augmented views of each photo through the whole frozen base, and pool its outputs to features.

    Args:
        base: the model from `model.build_base`.
        paths, targets, n_views, seed, change, move: as in `feature_maps_of_views`.

    Returns:
        Features float32 `(n, 1280)` and targets float32 `(n, classes)`, in the order of `feature_maps_of_views`.

    Raises:
        PhotoError: a photo cannot be read.
    """
    paths = list(paths)
    batches = _run_views(base, paths, n_views, seed, change, move)
    features = np.concatenate([outputs.mean(axis=(1, 2)) for _, outputs in batches])
    return features, np.tile(np.asarray(targets, np.float32), (max(1, n_views), 1))


def train_head(head, train, validation, epochs: int, *, patience: int = 5, learning_rate: float = 1e-4, callbacks=()):
    """Train a head on features that were computed once.

    The features are already pooled. So a model of the head's other layers is trained, which shares their weights.

    Args:
        head: the model from `model.build_head`. It is trained in place.
        train: the pair (features, targets) of the training set.
        validation: the same pair of the validation set, or None. With None there is no early stopping.
        epochs: the largest number of epochs.
        patience: see `early_stopping`.
        learning_rate: Adam's step size.
        callbacks: more Keras callbacks, such as `EpochPrinter`.

    Returns:
        Keras's `History`.
    """
    after_pooling = keras.Sequential([keras.Input((train[0].shape[1],)), *head.layers[1:]])
    compile_classifier(after_pooling, learning_rate)
    stopping = [early_stopping(patience)] if validation is not None else []
    return after_pooling.fit(
        *train,
        validation_data=validation,
        epochs=epochs,
        batch_size=32,
        verbose=0,
        callbacks=[*stopping, *callbacks],
    )


def fine_tune(
    upper, head, feature_maps, targets, epochs: int, *, learning_rate: float = 3e-4, validation=None, callbacks=()
) -> keras.callbacks.History:
    """Train the upper part of the base together with the head, on feature maps that were computed once.

    Batch normalization stays frozen: its statistics come from a million photos, ours would come from a few. The
    learning rate rises during the first 5% of the steps and then falls to 0 along a cosine. So the last epoch is the
    best one, and there is no early stopping.

    Args:
        upper: the upper part of the base, see `model.split_base`. It is trained in place.
        head: the model from `model.build_head`. It is trained in place.
        feature_maps: `(n, height, width, channels)`, see `feature_maps_of_views`.
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
    batches = Batches(feature_maps, targets, seed=0)
    steps = epochs * len(batches)
    warmup = max(1, steps // 20)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=learning_rate, warmup_steps=warmup
    )
    compile_classifier(model, schedule)
    validation_data = Batches(*validation) if validation is not None else None
    return model.fit(batches, validation_data=validation_data, epochs=epochs, verbose=0, callbacks=list(callbacks))


def correct_prior(head: keras.Sequential, targets: np.ndarray) -> float:
    """Correct the head's prior: the first class becomes as likely as all the others together.

    A network learns how frequent each class was in training. We chose these frequencies ourselves, so they say nothing
    about the world. A shift of the last layer's bias by the log-odds replaces them (Saerens, Latinne, and Decaestecker,
    "Adjusting the outputs of a classifier to new a priori probabilities", 2002). With three classes, the last class
    becomes a third as likely as the second, about as in the street photos of docs/model_card.md.

    Args:
        head: the trained head. Its last bias is changed in place.
        targets: the training targets, float32 `(n, classes)`.

    Returns:
        By how much the log-odds of the first class rise.
    """
    frequencies = np.maximum(targets.mean(axis=0, dtype=np.float64), 1 / len(targets))
    priors = np.array([1 / 2, 1 / 2] if len(frequencies) == 2 else [1 / 2, 3 / 8, 1 / 8])
    shifts = np.log(priors / frequencies) - np.log((1 / 2) / (1 - frequencies[0]))
    kernel, bias = head.layers[-1].get_weights()
    head.layers[-1].set_weights([kernel, (bias + shifts).astype(np.float32)])
    return float(shifts[0])


class Batches(keras.utils.PyDataset):
    """Feature maps and targets in batches, float32.

    Keras would first copy a whole array that it is given, and there may be a gigabyte of feature maps.

    Args:
        feature_maps: `(n, height, width, channels)`, of any float type.
        targets: `(n, classes)`.
        seed: shuffles the order before every epoch. With None, the order stays as it is.
        batch_size: how many rows a batch has; the last batch may be smaller.
    """

    def __init__(self, feature_maps, targets, seed: int | None = None, batch_size: int = 64):
        super().__init__()
        self._arrays, self._batch_size = (feature_maps, targets), batch_size
        self._rng = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(len(feature_maps))
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int):
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return tuple(array[rows].astype(np.float32) for array in self._arrays)

    def on_epoch_end(self) -> None:
        if self._rng is not None:
            self._rng.shuffle(self._order)
