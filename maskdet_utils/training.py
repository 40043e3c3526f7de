"""Train the head on features that are computed once."""

from itertools import islice

import numpy as np

from . import export
from .model import keras
from .photos import PhotoError, fit_to_input, read_ahead, read_photo


class EpochPrinter(keras.callbacks.Callback):
    """Print one short line per epoch, because a progress bar fills a saved notebook.

    Introduced in notebook 04.
    """

    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch + 1:2d}:  " + "  ".join(f"{name} {value:.3f}" for name, value in logs.items()))


def run_views(network, paths: list, n_views: int, seed: int, *, change=None, move=None, batch_size: int = 16):
    """Run `n_views` augmented views of each photo through a frozen network once.

    Nothing is trained here, so the network runs as LiteRT, which is twice as fast. Meanwhile, threads read the next
    photos.

    Args:
        network: the base or its lower part. It takes pixels scaled to −1…1.
        paths: the photos.
        n_views: how many views to make of each photo. With 0, each photo runs once and unchanged.
        seed: makes the views repeatable.
        change: `change(photo, rng)` alters a view before it is resized to the network's input, see `augment.degrade`.
        move: `move(photo, rng)` alters a view after it is resized, see `augment.random_affine`.
        batch_size: how many views the network processes at once.

    Yields:
        The number of a batch's first view, and the network's outputs for the batch: all photos once, then all of them
        again, and so on.

    Raises:
        PhotoError: a photo cannot be read.
    """
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
    reads = tqdm(read_ahead(read_view, range(total), 2 * batch_size), total=total, desc="features", leave=False)
    views = (view for _, view in reads)
    for start in range(0, total, batch_size):
        pixels = np.stack(list(islice(views, batch_size))).astype(np.float32)
        yield start, lite(pixels / 127.5 - 1)


def features_of_views(base, paths, targets, n_views: int, seed: int, *, change=None, move=None):
    """Run augmented views of each photo through the whole frozen base, and pool its outputs to features.

    Args:
        base: the model from `model.build_base`.
        paths, n_views, seed, change, move: as in `run_views`.
        targets: `(photos, classes)`, the target probabilities of each photo.

    Returns:
        Features float32 `(n, 1280)` and targets float32 `(n, classes)`, in the order of `run_views`.

    Raises:
        PhotoError: a photo cannot be read.

    Introduced in notebook 04.
    """
    paths = list(paths)
    batches = run_views(base, paths, n_views, seed, change=change, move=move)
    features = np.concatenate([outputs.mean(axis=(1, 2)) for _, outputs in batches])
    return features, np.tile(np.asarray(targets, np.float32), (max(1, n_views), 1))


def train_head(head, train, validation, epochs: int, *, patience: int = 5, learning_rate: float = 1e-4, callbacks=()):
    """Train a head on features that were computed once.

    The features are already pooled, so we train a model of the head's other layers, which shares their weights.

    Args:
        head: the model from `model.build_head`. It is trained in place.
        train: the pair (features, targets) of the training set.
        validation: the same pair for the validation set. Training stops when its loss no longer falls, and the best
            epoch's weights are restored. With None, there is no early stopping.
        epochs: the largest number of epochs.
        patience: for how many epochs the validation loss may fail to improve.
        learning_rate: Adam's step size.
        callbacks: more Keras callbacks, such as `EpochPrinter`.

    Returns:
        Keras's `History`.

    Introduced in notebook 04.
    """
    after_pooling = keras.Sequential([keras.Input((train[0].shape[1],)), *head.layers[1:]])
    adam = keras.optimizers.Adam(learning_rate)
    after_pooling.compile(adam, loss="categorical_crossentropy", metrics=["accuracy"])
    if validation is not None:
        stopping = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
        callbacks = [stopping, *callbacks]
    return after_pooling.fit(
        *train, validation_data=validation, epochs=epochs, batch_size=32, verbose=0, callbacks=list(callbacks)
    )
