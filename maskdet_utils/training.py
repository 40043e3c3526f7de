"""Train the head: on features computed once, or through the frozen base in every epoch."""

from itertools import islice

import numpy as np

from . import export
from .model import keras
from .photos import PhotoError, fit_to_input, read_ahead, read_photo


class EpochPrinter(keras.callbacks.Callback):
    """One short line for each epoch, in place of a progress bar that fills a saved notebook."""

    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch + 1:2d}:  " + "  ".join(f"{name} {value:.3f}" for name, value in logs.items()))


def compile_classifier(classifier, learning_rate: float = 1e-4) -> None:
    """Adam and cross-entropy, as notebook 04 explains them."""
    classifier.compile(
        optimizer=keras.optimizers.Adam(learning_rate), loss="categorical_crossentropy", metrics=["accuracy"]
    )


def early_stopping(patience: int = 5):
    """Stop when the validation loss has not fallen for `patience` epochs, and go back to the best epoch's weights."""
    return keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)


def feature_maps_of_views(
    network, paths, targets, n_views: int, seed: int, *, change=None, move=None, batch_size: int = 16
):
    """Run `n_views` versions of each photo through a frozen network once and keep what comes out.

    network: the base or its lower part, which takes pixels scaled to −1…1. With `n_views` 0 the photos are taken as
    they are, once. Otherwise each view is altered by `change(photo, rng)` (see `augment.degrade`), stretched to the
    network's size, and altered by `move(photo, rng)` (see `augment.random_affine`). Nothing is trained here, so the network runs
    as LiteRT, twice as fast; threads read the next photos meanwhile.

    Returns maps float16 `(n, height, width, channels)`, half the memory and as good to train with, and targets float32
    `(n, classes)`, with n = photos × max(1, n_views), all photos once, then all of them again.
    """
    paths = list(paths)
    maps = np.empty((len(paths) * max(1, n_views), *network.output_shape[1:]), np.float16)
    for first, found in _run_views(network, paths, n_views, seed, change, move, batch_size):
        maps[first : first + len(found)] = found
    return maps, np.tile(np.asarray(targets, np.float32), (max(1, n_views), 1))


def _run_views(network, paths: list, n_views: int, seed: int, change, move, batch_size: int = 16):
    """Yield the number of a batch's first view and what the network makes of the batch."""
    from tqdm.auto import tqdm

    lite, size = export.as_litert(network), network.input_shape[1]

    def look(number: int) -> np.ndarray:
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
    reading = tqdm(read_ahead(look, range(total), 2 * batch_size), total=total, desc="maps", leave=False)
    views = (view for _, view in reading)
    for first in range(0, total, batch_size):
        pixels = np.stack(list(islice(views, batch_size))).astype(np.float32)
        yield first, lite(pixels / 127.5 - 1)


def features_of_feature_maps(upper, maps: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Run maps through the upper part of the base and pool what comes out: features float32 `(n, 1280)`."""
    lite = export.as_litert(upper)
    starts = range(0, len(maps), batch_size)
    return np.concatenate([lite(maps[start : start + batch_size]).mean(axis=(1, 2)) for start in starts])


def features_of_views(base, paths, targets, n_views: int, seed: int, *, change=None, move=None):
    """Both at once, photos to features: float32 `(n, 1280)`, and their targets; see `feature_maps_of_views`."""
    paths = list(paths)
    batches = _run_views(base, paths, n_views, seed, change, move)
    features = np.concatenate([found.mean(axis=(1, 2)) for _, found in batches])
    return features, np.tile(np.asarray(targets, np.float32), (max(1, n_views), 1))


def train_head(head, train, validation, epochs: int, *, patience: int = 5, learning_rate: float = 1e-4, callbacks=()):
    """Train a head on features computed once; `train` and `validation` are pairs (features, targets).

    The head's pooling is already done in the features, so what trains is the rest of it, sharing its weights. Without
    validation (None) there is no early stopping. Returns Keras's `History`.
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


def fine_tune(upper, head, maps, targets, epochs: int, *, learning_rate: float = 3e-4, validation=None, callbacks=()):
    """Train the upper part of the base together with the head, on maps computed once; returns Keras's `History`.

    maps, targets: see `feature_maps_of_views`; validation: such a pair, to be told how it goes. Batch normalization stays
    frozen: its statistics are those of a million photos, ours would be those of a few. The learning rate rises during
    the first twentieth and then falls to 0 along a cosine, so that there is no best epoch to go back to: the last is.
    """
    for layer in upper.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    maps_in = keras.Input(upper.input_shape[1:])
    model = keras.Model(maps_in, head(upper(maps_in)))
    batches = Batches(maps, targets, seed=0)
    steps = epochs * len(batches)
    warmup = max(1, steps // 20)
    pace = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=learning_rate, warmup_steps=warmup
    )
    compile_classifier(model, pace)
    judged = Batches(*validation) if validation is not None else None
    return model.fit(batches, validation_data=judged, epochs=epochs, verbose=0, callbacks=list(callbacks))


def correct_prior(head, targets: np.ndarray) -> float:
    """Make the first class as likely beforehand as all others together; returns by how much its log-odds rise.

    A network learns how frequent each class was in training, targets float32 `(n, classes)`. Where that was our choice
    and says nothing about the world, it is taken out again: a shift of the last layer's bias by the log-odds of the
    share (Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities",
    2002). Of three classes, the last becomes a third as likely as the second, about as in the street photos of
    docs/model_card.md.
    """
    shares = np.maximum(targets.mean(axis=0, dtype=np.float64), 1 / len(targets))
    priors = np.array([1 / 2, 1 / 2] if len(shares) == 2 else [1 / 2, 3 / 8, 1 / 8])
    rises = np.log(priors / shares) - np.log((1 / 2) / (1 - shares[0]))
    kernel, bias = head.layers[-1].get_weights()
    head.layers[-1].set_weights([kernel, (bias + rises).astype(np.float32)])
    return float(rises[0])


class Batches(keras.utils.PyDataset):
    """Maps and targets in batches of 64, in another order in every epoch if there is a seed. Keras's own way to feed
    arrays would copy all of them first, and there may be a gigabyte of maps.
    """

    def __init__(self, maps, targets, seed: int | None = None, batch_size: int = 64):
        super().__init__()
        self._arrays, self._batch_size = (maps, targets), batch_size
        self._rng = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(len(maps))
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, number: int):
        chosen = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        return tuple(array[chosen].astype(np.float32) for array in self._arrays)

    def on_epoch_end(self) -> None:
        if self._rng is not None:
            self._rng.shuffle(self._order)
