"""Export a classifier as a LiteRT file: a few megabytes that run without TensorFlow."""

import contextlib
import hashlib
import io
import logging
import weakref

from .classifier import LiteNetwork
from .environment import quiet_stderr
from .paths import write_file

_converted: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # network → (hash of its weights, LiteRT file)


def to_litert(classifier, path) -> None:
    """Write a Keras classifier to `path` as a LiteRT file that takes float32 pixels and any batch size.

    Introduced in notebook 04.
    """
    write_file(path, convert(classifier))


def as_litert(network, num_threads: int = 2) -> LiteNetwork:
    """Convert a Keras network with its current weights to a LiteRT function, which runs in half the time.

    A conversion takes seconds, so a network is converted again only if its weights have changed.

    Args:
        network: a Keras model with one input and one output.
        num_threads: how many CPU threads the function may use.

    Returns:
        A function that gives the same outputs as the network at inference. It cannot be trained.

    Introduced in notebook 09.
    """
    weights = hashlib.sha256(b"".join(weight.tobytes() for weight in network.get_weights())).digest()
    if _converted.get(network, (None,))[0] != weights:
        _converted[network] = weights, convert(network)
    return LiteNetwork(_converted[network][1], num_threads)


def convert(network, half: bool = False) -> bytes:
    """Convert a Keras network to the bytes of a LiteRT file that computes in float32.

    Args:
        network: a Keras model.
        half: whether to store its weights as float16. The file is then half as large.
    """
    with converter_for(network) as converter:
        if half:
            import tensorflow as tf

            converter.optimizations, converter.target_spec.supported_types = [tf.lite.Optimize.DEFAULT], [tf.float16]
        return converter.convert()


@contextlib.contextmanager
def converter_for(network):
    """Provide TensorFlow's converter for a Keras network, and silence it inside the `with` block.

    The converter prints the address of every variable and logs a temporary path. Both differ in every run.
    """
    import tensorflow as tf

    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), quiet_stderr():
            # This takes half the time of `from_keras_model`, which traces the network several times.
            pixels = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="pixels")
            function = tf.function(lambda pixels: network(pixels, training=False)).get_concrete_function(pixels)
            module = tf.Module()
            module.weights = [weight.value for weight in network.weights]
            yield tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    finally:
        logging.disable(logging.NOTSET)
