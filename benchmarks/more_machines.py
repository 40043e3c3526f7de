"""Train the head on several machines at the same time, with our own loop, because `Model.fit` can't.

    python benchmarks/more_machines.py features.npz head.keras [--epochs 30] [--dropout 0.5] [--seed 0]

features.npz holds `features` (n, 1280) and `targets` (n, classes), see `training.features_of_views`. Start this program
on each machine, with the same file and options, and with a `TF_CONFIG` that says which machine it is (see
docs/more-machines.md). Without `TF_CONFIG`, one machine trains alone. The rows of each batch are divided among all
devices, and the gradients are added up, so all machines always have the same weights. Each one prints their checksum.
Only the first machine, the chief, writes head.keras. If a machine dies, the others stop.
"""

import argparse
import signal
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

from maskdet_utils import model  # before TensorFlow, which it keeps quiet
from maskdet_utils.model import keras
from maskdet_utils.paths import open_output

import tensorflow as tf  # isort: skip

BATCH = 32  # rows, on all devices together
# What TensorFlow raises if a machine closes the connection (at once) or no longer answers (after about 10 seconds).
LOST = tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError, tf.errors.CancelledError


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read features float32 `(n, 1280)` and targets float32 `(n, classes)`.

    Raises:
        ValueError: The file isn't there, or it holds something else.
    """
    try:
        with np.load(path) as file:
            features, targets = (file[name].astype(np.float32) for name in ("features", "targets"))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an .npz file with features and targets ({error}).") from None
    if features.ndim != 2 or targets.ndim != 2 or not 0 < len(features) == len(targets):
        raise ValueError(f"{path}: features {features.shape} and targets {targets.shape} must have the same rows.")
    return features, targets


def train(strategy, features, targets, *, epochs: int, dropout: float, seed: int) -> keras.Model:
    """Train a new head on all devices of a strategy, in the same steps as `training.train_head` without validation.

    Args:
        strategy: a `tf.distribute` strategy.
        features: float32 `(n, 1280)`, the same on all machines, like everything else here.
        targets: float32 `(n, classes)`.
        epochs: the number of epochs.
        dropout: as in `model.build_head`.
        seed: makes the first weights and the order of the rows repeatable.

    Returns:
        The head.

    Raises:
        ValueError: Another machine has other features, targets, or options.
    """
    given = features.tobytes() + targets.tobytes() + repr((epochs, dropout, seed)).encode()
    checksum = tf.constant(zlib.crc32(given), tf.float64)
    if strategy.reduce("MEAN", strategy.run(tf.identity, (checksum,)), axis=None) != checksum:
        raise ValueError("The machines have different features or options. Start all with the same file and options.")
    model.set_seed(seed)
    with strategy.scope():
        head = model.build_head(targets.shape[1], dropout=dropout)
        head.build((None, 1, 1, features.shape[1]))
        adam = keras.optimizers.Adam(1e-4)
        adam.build(head.trainable_variables)

    def on_each_device(features, targets):
        device = tf.distribute.get_replica_context()
        share = slice(device.replica_id_in_sync_group, None, device.num_replicas_in_sync)
        with tf.GradientTape() as tape:
            losses = keras.losses.categorical_crossentropy(targets[share], head(features[share], training=True))
            loss = tf.reduce_sum(losses) / tf.cast(len(targets), tf.float32)  # the shares of a batch add up to its mean
        adam.apply(tape.gradient(loss, head.trainable_variables))  # adds up the gradients of all devices first
        return loss

    @tf.function(reduce_retracing=True)
    def step(features, targets):
        return strategy.reduce("SUM", strategy.run(on_each_device, (features, targets)), axis=None)

    for epoch in range(epochs):
        order = np.random.default_rng((seed, epoch)).permutation(len(features))
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        # The head starts with pooling, so each row becomes a feature map of one cell.
        losses = [len(rows) * float(step(features[rows, None, None], targets[rows])) for rows in batches]
        print(f"epoch {epoch + 1:2d}:  loss {sum(losses) / len(order):.3f}", flush=True)
    return head


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, metavar="features.npz")
    parser.add_argument("output", type=Path, metavar="head.keras")
    for name, default in ("--epochs", 30), ("--dropout", 0.5), ("--seed", 0):
        parser.add_argument(name, type=type(default), default=default, metavar="N")
    options = parser.parse_args()
    if options.output.suffix != ".keras":
        parser.error(f"The name of the output must end in .keras, and {options.output} doesn't.")
    try:
        features, targets = read(options.features)
        print("Waiting for all machines …", flush=True)
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # TensorFlow catches it and goes on
        head = train(strategy, features, targets, epochs=options.epochs, dropout=options.dropout, seed=options.seed)
        weights = b"".join(weight.tobytes() for weight in head.get_weights())
        print(f"weights {zlib.crc32(weights):08x}")
        if strategy.extended.should_checkpoint:  # true on the chief
            with open_output(options.output) as path:
                head.save(path)
            print(f"wrote {options.output}")
    except LOST as error:
        reason = error.message.split("aborted by: ")[-1].splitlines()[0]
        sys.exit(f"Stopped: another machine died or can't be reached ({reason}). Nothing was written. Start all again.")
    except tf.errors.UnknownError as error:
        sys.exit(f"{error.message}. Is the port of this machine in TF_CONFIG already in use?")
    except (ValueError, OSError) as error:
        sys.exit(f"Stopped: {str(error).rstrip('.')}. Check the file, the options, and TF_CONFIG.")


if __name__ == "__main__":
    main()
