"""The classifier as a LiteRT file: a few megabytes that run without TensorFlow."""

import contextlib
import hashlib
import io
import logging
import weakref

from .classifier import LiteNetwork
from .environment import quiet_stderr
from .paths import write_file

_converted: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # network → hash of its weights, LiteRT file


def to_litert(classifier, path) -> None:
    """Write a Keras classifier as a LiteRT file that takes any batch size and float32 pixels."""
    write_file(path, convert(classifier))


def as_litert(network, num_threads: int = 2) -> LiteNetwork:
    """A Keras network as it is now as a LiteRT function: the same numbers in half the time, for use without training.

    Conversion takes seconds, so a network whose weights are what they were the last time is not converted again.
    """
    weights = hashlib.sha256(b"".join(weight.tobytes() for weight in network.get_weights())).digest()
    if _converted.get(network, (None,))[0] != weights:
        _converted[network] = weights, convert(network)
    return LiteNetwork(_converted[network][1], num_threads)


def convert(network) -> bytes:
    """The content of a LiteRT file with a Keras network: the same weights and calculations, in float32."""
    with converter_for(network) as converter:
        return converter.convert()


@contextlib.contextmanager
def converter_for(network):
    """TensorFlow's converter for a Keras network, silenced as long as the context lasts.

    It prints every variable's address and logs a temporary path, different ones in every run.
    """
    import tensorflow as tf

    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), quiet_stderr():
            # The same as `from_keras_model` in half the time: that one traces the network over and over.
            pixels = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="pixels")
            function = tf.function(lambda pixels: network(pixels, training=False)).get_concrete_function(pixels)
            owner = tf.Module()
            owner.weights = [weight.value for weight in network.weights]
            yield tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
    finally:
        logging.disable(logging.NOTSET)
