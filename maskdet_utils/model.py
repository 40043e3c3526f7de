"""MobileNetV2 without its head, our new head, and the two joined into a classifier."""

from . import assets
from .environment import quiet_stderr

with quiet_stderr():
    import keras
    import tensorflow as tf

FEATURES = 1280  # channels of MobileNetV2's last layer
CUT = "block_12_add"  # the layer that ends the lower part of the base: above it lie the last four of its 17 blocks


def set_seed(seed: int) -> None:
    """Same numbers in every run on one machine: seeds Python, NumPy and TensorFlow and asks for repeatable kernels."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def build_base(image_size: int) -> keras.Model:
    """MobileNetV2 with ImageNet weights and no head, frozen.

    Takes float32 `(batch, image_size, image_size, 3)` scaled to −1…1, gives `(batch, image_size/32, image_size/32,
    1280)`. The weights are those trained at 224×224, at every size: convolutions do not care.
    """
    base = keras.applications.MobileNetV2(
        input_shape=(image_size, image_size, 3),
        include_top=False,
        weights=str(assets.fetch("mobilenet_v2")),
        name="mobilenetv2",
    )
    base.trainable = False
    return base


def split_base(base: keras.Model, at: str = CUT) -> tuple[keras.Model, keras.Model]:
    """Cut the base in two, lower and upper part: `upper(lower(x))` is `base(x)`. Both share the base's layers.

    The lower part gives maps `(batch, image_size/16, image_size/16, 96)` if cut at `CUT`.
    """
    lower = keras.Model(base.input, base.get_layer(at).output, name="lower")
    maps = keras.Input(lower.output_shape[1:], name="maps")
    known = {lower.output.name: maps}
    for layer in base.layers[base.layers.index(base.get_layer(at)) + 1 :]:
        inputs = [known[tensor.name] for tensor in (layer.input if isinstance(layer.input, list) else [layer.input])]
        known[layer.output.name] = layer(inputs if len(inputs) > 1 else inputs[0])
    return lower, keras.Model(maps, known[base.output.name], name="upper")


def build_head(n_classes: int = 2, units: int = 128, dropout: float = 0.5) -> keras.Sequential:
    """The new head: average pool, a fully connected layer, dropout, one softmax output per class."""
    return keras.Sequential(
        [
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(units, activation="relu", name="dense"),
            keras.layers.Dropout(dropout, name="dropout"),
            keras.layers.Dense(n_classes, activation="softmax", name="probabilities"),
        ],
        name="head",
    )


def build_classifier(base: keras.Model, head: keras.Model) -> keras.Model:
    """Base and head joined, with the scaling as first layer, so that training and live use cannot differ in it.

    Takes RGB pixels 0–255 as float32 `(batch, size, size, 3)`, gives probabilities `(batch, classes)`. The base runs
    in inference mode even while the head trains: its batch normalization keeps ImageNet's statistics.
    """
    pixels = keras.Input(base.input_shape[1:], name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(pixels)
    return keras.Model(pixels, head(base(scaled, training=False)), name="mask_classifier")
