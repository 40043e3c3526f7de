"""LiteRT files with rounded weights: what the released classifier and the benchmark of sizes are made with."""

import io

import numpy as np

from maskdet_utils.export import converter_for

PRECISIONS = ("float32", "float16", "dynamic", "int8")


def convert(network, precision: str, photos=None) -> bytes:
    """The content of a LiteRT file with a Keras network, its numbers rounded.

    Args:
        network: takes float32 pixels `(n, size, size, 3)`.
        precision: one of `PRECISIONS`. "float32" rounds nothing. "float16" halves the file and still calculates in
            float32. "dynamic" keeps 8-bit integers, with a scale for each channel, and rounds what flows through the
            network as it comes. "int8" calculates in 8-bit integers, with ranges measured on `photos`; one layer stays
            in float32, the one that rounding hurts most.
        photos: for "int8", float32 pixels like those to come, a hundred or more.

    Raises:
        ValueError: there is no such precision, or "int8" has no photos.
    """
    import tensorflow as tf

    if precision not in PRECISIONS:
        raise ValueError(f"No precision is called {precision!r}. There are: {', '.join(PRECISIONS)}.")
    if precision == "int8" and (photos is None or not len(photos)):
        raise ValueError('"int8" needs photos to measure the ranges of the numbers inside the network.')
    with converter_for(network) as converter:
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return _convert_to_int8(converter, photos) if precision == "int8" else converter.convert()


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
