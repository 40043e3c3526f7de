"""For fine-tuning the upper part of the base: cut the base in two, keep feature maps, batch them, correct the prior."""

import numpy as np

from . import export
from .model import keras
from .training import run_views

CUT = "block_12_add"  # the last layer of the base's lower part; the last 4 of its 17 blocks are above it
PRIORS = {2: (1 / 2, 1 / 2), 3: (1 / 2, 3 / 8, 1 / 8)}  # of the classes, after `correct_prior`


def split_base(base: keras.Model, at: str = CUT) -> tuple[keras.Model, keras.Model]:
    """Cut the base into a lower and an upper part, which share its layers: `upper(lower(x))` is `base(x)`.

    Args:
        base: the model from `model.build_base`.
        at: the name of the last layer of the lower part.

    Returns:
        The lower and the upper part. If the cut is at `CUT`, the lower part returns feature maps
        `(batch, image_size/16, image_size/16, 96)`.

    Introduced in notebook 07.
    """
    lower = keras.Model(base.input, base.get_layer(at).output, name="lower")
    feature_maps = keras.Input(lower.output_shape[1:], name="feature_maps")
    known = {lower.output.name: feature_maps}
    for layer in base.layers[base.layers.index(base.get_layer(at)) + 1 :]:
        inputs = [known[tensor.name] for tensor in (layer.input if isinstance(layer.input, list) else [layer.input])]
        known[layer.output.name] = layer(inputs if len(inputs) > 1 else inputs[0])
    return lower, keras.Model(feature_maps, known[base.output.name], name="upper")


def feature_maps_of_views(
    network, paths, targets, n_views: int, seed: int, *, change=None, move=None
) -> tuple[np.ndarray, np.ndarray]:
    """Run `n_views` augmented views of each photo through a frozen network once, and keep the feature maps.

    Args:
        network: the base or its lower part. It takes pixels scaled to −1…1.
        paths, n_views, seed, change, move: as in `training.run_views`.
        targets: `(photos, classes)`, the target probabilities of each photo.

    Returns:
        Feature maps float16 `(n, height, width, channels)`, which take half the memory and train just as well, and
        targets float32 `(n, classes)`. n is photos × max(1, n_views): all photos once, then all of them again, and so
        on.

    Raises:
        PhotoError: a photo cannot be read.

    Introduced in notebook 07.
    """
    paths = list(paths)
    feature_maps = np.empty((len(paths) * max(1, n_views), *network.output_shape[1:]), np.float16)
    for start, outputs in run_views(network, paths, n_views, seed, change=change, move=move):
        feature_maps[start : start + len(outputs)] = outputs
    return feature_maps, np.tile(np.asarray(targets, np.float32), (max(1, n_views), 1))


def features_of_feature_maps(upper: keras.Model, feature_maps: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Run feature maps through the upper part of the base, and pool its outputs to features.

    Args:
        upper: the upper part of the base, see `split_base`.
        feature_maps: `(n, height, width, channels)`, see `feature_maps_of_views`.
        batch_size: how many feature maps the network processes at once.

    Returns:
        Features float32 `(n, 1280)`.

    Introduced in notebook 07.
    """
    lite = export.as_litert(upper)
    starts = range(0, len(feature_maps), batch_size)
    return np.concatenate([lite(feature_maps[start : start + batch_size]).mean(axis=(1, 2)) for start in starts])


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
        How much the log-odds of the first class rise.

    Introduced in notebook 07.
    """
    frequencies = np.maximum(targets.mean(axis=0, dtype=np.float64), 1 / len(targets))
    priors = np.array(PRIORS[len(frequencies)])
    shifts = np.log(priors / frequencies) - np.log((1 / 2) / (1 - frequencies[0]))
    kernel, bias = head.layers[-1].get_weights()
    head.layers[-1].set_weights([kernel, (bias + shifts).astype(np.float32)])
    return float(shifts[0])


class Batches(keras.utils.PyDataset):
    """Feature maps and targets in batches, float32.

    If we passed Keras a whole array, it would copy it first, and the feature maps may take up a gigabyte.

    Args:
        feature_maps: `(n, height, width, channels)`, of any float type.
        targets: `(n, classes)`.
        seed: shuffles the order before every epoch. With None, the order stays as it is.
        batch_size: how many rows a batch has; the last batch may be smaller.

    Introduced in notebook 07.
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
