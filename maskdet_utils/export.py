"""The classifier as a LiteRT file: a few megabytes that run without TensorFlow."""

import contextlib
import io
import logging
from pathlib import Path

import numpy as np

from .paths import write_file
from .quiet import quiet_stderr


def to_litert(classifier, path, half_precision: bool = False) -> None:
    """Write a Keras classifier as a LiteRT file that takes any batch size and float32 pixels.

    half_precision: keep the weights as float16, which halves the file; calculations stay float32.
    """
    import tensorflow as tf

    # The converter prints every variable's address, and logs a temporary path: other ones each time.
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            converter = tf.lite.TFLiteConverter.from_keras_model(classifier)
            if half_precision:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.target_spec.supported_types = [tf.float16]
            content = converter.convert()
    finally:
        logging.disable(logging.NOTSET)
    write_file(path, content)


class LiteClassifier:
    """A LiteRT classifier as a function: float32 pixels `(batch, size, size, 3)` in, probabilities `(batch, classes)` out."""

    def __init__(self, path, num_threads: int = 2):
        from ai_edge_litert.interpreter import Interpreter

        if not Path(path).is_file():
            raise FileNotFoundError(
                f"{path} is missing. Train and export a classifier first: 04_train_the_classifier.ipynb."
            )
        with quiet_stderr():
            self._interpreter = Interpreter(str(path), num_threads=num_threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self.input_size = int(self._input["shape_signature"][1])
        self._batch: int | None = None

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Raises `ValueError` if `pixels` is not of the size that the classifier was trained for."""
        if pixels.shape[1:] != (self.input_size, self.input_size, 3):
            raise ValueError(f"This classifier takes {self.input_size}×{self.input_size} RGB; got {pixels.shape[1:]}.")
        if len(pixels) != self._batch:
            self._interpreter.resize_tensor_input(self._input["index"], pixels.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(pixels)
        self._interpreter.set_tensor(self._input["index"], pixels.astype(np.float32))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output).copy()


class KerasClassifier:
    """A .keras file as a function, like `LiteClassifier`. Imports TensorFlow."""

    def __init__(self, path):
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"{path} is missing. Train and export a classifier first: 04_train_the_classifier.ipynb."
            )
        from .model import keras

        self._model = keras.saving.load_model(path, compile=False)
        self.input_size = int(self._model.input_shape[1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """See `LiteClassifier`."""
        return np.asarray(self._model.predict_on_batch(pixels.astype(np.float32)))
