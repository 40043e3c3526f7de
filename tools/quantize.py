"""Quantize a Keras network and write it as a LiteRT file, for the released classifier and for benchmarks/pareto.py."""

import io

import numpy as np

from maskdet_utils.export import converter_for

PRECISIONS = ("float32", "float16", "dynamic", "int8")


def convert(network, precision: str, photos=None) -> bytes:
    """Convert a Keras network to LiteRT with quantized weights.

    Args:
        network: A network that takes float32 pixels `(n, size, size, 3)`.
        precision: One of `PRECISIONS`. "float32" rounds nothing. "float16" halves the file and still calculates in
            float32. "dynamic" stores 8-bit weights with a scale for each channel and quantizes activations on the fly.
            "int8" calculates in 8-bit integers, with ranges measured on `photos`; the one layer that quantization hurts
            most stays in float32.
        photos: For "int8", at least 100 photos like those that the network will be used on, as float32 pixels.

    Returns:
        The content of the LiteRT file.

    Raises:
        ValueError: There is no such precision, or "int8" has no photos.
    """
    import tensorflow as tf

    if precision not in PRECISIONS:
        raise ValueError(f"No precision is called {precision!r}. Choose from: {', '.join(PRECISIONS)}.")
    if precision == "int8" and (photos is None or not len(photos)):
        raise ValueError('"int8" needs photos to measure the ranges of the activations. Pass about 100 or more.')
    with converter_for(network) as converter:
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return _convert_to_int8(converter, photos) if precision == "int8" else converter.convert()


def _convert_to_int8(converter, photos) -> bytes:
    """Quantize all layers except one, see `convert`.

    In MobileNetV2, this is the first depthwise convolution. The range of a few of its channels is so much wider than
    that of the others that one scale does not fit all.
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
