"""Train the head: on features computed once, or through the frozen base in every epoch."""

import numpy as np

from . import datasets
from .model import keras, tf


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


def features_of_views(base, paths, targets, n_views: int, seed: int, position=None, change=None, batch_size: int = 32):
    """Run `n_views` versions of each photo through the frozen base once and keep what comes out.

    With `n_views` 0 the photos are taken as they are, once. Otherwise each view is altered by `position` (Keras
    layers, see `augment.position_layers`) and by `change` (see `augment.worsen`).

    Returns pooled features float32 `(n, 1280)` and targets float32 `(n, classes)`, with n = photos × max(1, n_views).
    """
    from tqdm.auto import tqdm

    size = base.input_shape[1]
    pixels = keras.Input((size, size, 3))
    moved = position(pixels, training=True) if position is not None and n_views else pixels
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(moved)
    pooled = keras.layers.GlobalAveragePooling2D()(base(scaled, training=False))
    to_features = tf.function(keras.Model(pixels, pooled))

    features, kept_targets = [], []
    with tqdm(total=len(paths) * max(1, n_views), desc="features", leave=False) as bar:
        for view in range(max(1, n_views)):
            photos = datasets.stream(
                paths, targets, size, batch_size, change=change if n_views else None, seed=seed + view, shuffle=False
            )
            for batch, batch_targets in photos:
                features.append(to_features(batch).numpy())
                kept_targets.append(batch_targets.numpy())
                bar.update(len(batch))
    return np.concatenate(features), np.concatenate(kept_targets)


def train_head(head, train, validation, epochs: int, patience: int = 5, learning_rate: float = 1e-4, callbacks=()):
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
