"""The classifier as a LiteRT file: a few megabytes that run without TensorFlow."""

import contextlib
import hashlib
import io
import logging
import weakref

import numpy as np

from .classifier import LiteNetwork
from .environment import quiet_stderr
from .paths import write_file

PRECISIONS = ("float32", "float16", "dynamic", "int8")

_converted: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # network → hash of its weights, LiteRT file


def to_litert(classifier, path, precision: str = "float32", photos=None) -> None:
    """Write a Keras classifier as a LiteRT file that takes any batch size and float32 pixels; see `convert`."""
    write_file(path, convert(classifier, precision, photos))


def as_litert(network, num_threads: int = 2) -> LiteNetwork:
    """A Keras network as it is now as a LiteRT function: the same numbers in half the time, for use without training.

    Conversion takes seconds, so a network whose weights are what they were the last time is not converted again.
    """
    weights = hashlib.sha256(b"".join(weight.tobytes() for weight in network.get_weights())).digest()
    if _converted.get(network, (None,))[0] != weights:
        _converted[network] = weights, convert(network)
    return LiteNetwork(_converted[network][1], num_threads)


def convert(network, precision: str = "float32", photos=None) -> bytes:
    """The content of a LiteRT file.

    precision: how weights are kept, one of `PRECISIONS`. "float16" halves the file and calculates in float32 all the
    same; "dynamic" keeps 8-bit integers, a scale for each channel, and rounds what flows through the network as it
    comes; "int8" calculates in 8-bit integers, with ranges measured beforehand on `photos`: float32 pixels `(n, size,
    size, 3)` like those to come, a hundred or more. One layer stays float32: the one that rounding hurts most.

    Raises `ValueError` for another precision, or "int8" without photos.
    """
    import tensorflow as tf

    if precision not in PRECISIONS:
        raise ValueError(f"No precision is called {precision!r}. There are: {', '.join(PRECISIONS)}.")
    if precision == "int8" and (photos is None or not len(photos)):
        raise ValueError('"int8" needs photos to measure on what ranges the numbers inside the network have.')
    # The converter prints every variable's address, and logs a temporary path: other ones each time.
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), quiet_stderr():
            # The same as `from_keras_model` in half the time: that one traces the network over and over.
            pixels = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="pixels")
            function = tf.function(lambda pixels: network(pixels, training=False)).get_concrete_function(pixels)
            owner = tf.Module()
            owner.weights = [weight.value for weight in network.weights]
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
            if precision != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if precision == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if precision == "int8":
                return _convert_to_int8(converter, photos)
            return converter.convert()
    finally:
        logging.disable(logging.NOTSET)


def _convert_to_int8(converter, photos) -> bytes:
    """Round everything but one layer, see `convert`.

    In MobileNetV2 that is the first depthwise convolution: a few of its channels are so much wider than the others that
    one scale cannot serve all.
    """
    import pandas as pd
    import tensorflow as tf

    def some(count):
        return lambda: ([photo[np.newaxis]] for photo in photos[:count])

    converter.representative_dataset = some(len(photos))
    options = tf.lite.experimental.QuantizationDebugOptions
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=some(20), debug_options=options()
    )
    debugger.run()
    measured = io.StringIO()
    debugger.layer_statistics_dump(measured)
    layers = pd.read_csv(io.StringIO(measured.getvalue())).set_index("tensor_name")
    steps_off = layers["mean_squared_error"] ** 0.5 / layers["scale"]
    debugger.options = options(denylisted_nodes=[steps_off.idxmax()])
    return debugger.get_nondebug_quantized_model()
