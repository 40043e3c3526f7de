"""MobileNetV2 without its head, our new head, and the classifier that joins them."""

from . import assets
from .environment import quiet_stderr

with quiet_stderr():
    import keras
    import tensorflow as tf

tf.get_logger().setLevel("ERROR")  # each new model's first `predict` compiles: TensorFlow would warn about that
FEATURES = 1280  # channels of MobileNetV2's last layer


def set_seed(seed: int) -> None:
    """Make runs on one machine repeatable: seed Python, NumPy, and TensorFlow, and use deterministic kernels.

    Introduced in notebook 03.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def build_base(image_size: int) -> keras.Model:
    """Build MobileNetV2 with ImageNet weights, without its head, and frozen.

    Args:
        image_size: the side of the input in pixels. The weights come from training at 224×224, but convolutions work
            at any size.

    Returns:
        A model that turns float32 `(batch, image_size, image_size, 3)`, scaled to −1…1, into float32 feature maps
        `(batch, image_size/32, image_size/32, 1280)`.

    Introduced in notebook 03.
    """
    base = keras.applications.MobileNetV2(
        input_shape=(image_size, image_size, 3),
        include_top=False,
        weights=str(assets.fetch("mobilenet_v2")),
        name="mobilenetv2",
    )
    base.trainable = False
    return base


def build_head(n_classes: int = 2, units: int = 128, dropout: float = 0.5) -> keras.Sequential:
    """Build the new head: average pooling, a dense layer with ReLU, dropout, and one softmax output per class.

    Args:
        n_classes: the number of outputs.
        units: the width of the dense layer.
        dropout: the fraction of its outputs that dropout sets to 0 during training.

    Introduced in notebook 03.
    """
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
    """Join the base and the head. Scaling is the first layer, so that training and live use scale in the same way.

    The base runs in inference mode even while the head trains: its batch normalization keeps ImageNet's statistics.

    Args:
        base: the model from `build_base`.
        head: the model from `build_head`.

    Returns:
        A model that turns RGB pixels 0–255, float32 `(batch, size, size, 3)`, into probabilities `(batch, classes)`.

    Introduced in notebook 03.
    """
    pixels = keras.Input(base.input_shape[1:], name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(pixels)
    return keras.Model(pixels, head(base(scaled, training=False)), name="mask_classifier")
