"""Use a classifier: load it, read its config, and apply its threshold. Imports neither TensorFlow nor pandas.

A run folder and the released classifier look the same: both hold `classifier.tflite` and `labels.json`.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from .environment import quiet_stderr

CLASSIFIER, LABELS = "classifier.tflite", "labels.json"


RELEASED = Path(__file__).parent / "released"  # comes with the package, see docs/model_card.md


class ClassifierError(RuntimeError):
    """A run folder does not hold a usable classifier. The message says what is wrong with it."""


def at_threshold(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Weight probabilities so that the largest score in each row is the label at a threshold other than 0.5.

    With two classes, the first class wins where its probability reaches the threshold. With three, the odds of the
    first class are divided by the odds of the threshold, and then the likeliest class wins.

    Args:
        probabilities: `(n, classes)`.
        threshold: for the probability of the first class, 0 to 1.

    Returns:
        Scores `(n, classes)`. Their rows do not add up to 1.
    """
    return probabilities * np.array([1 - threshold] + [threshold] * (probabilities.shape[1] - 1))


def load_classifier(model: str | Path, threads: int = 2) -> tuple:
    """Load a classifier and the `labels.json` in the same folder.

    Args:
        model: a run folder, which holds `classifier.tflite`, or a .tflite or .keras file. Only a .keras file needs
            TensorFlow.
        threads: how many CPU threads a .tflite file may use.

    Returns:
        The classifier and its config. The classifier is a function from float32 pixels 0–255
        `(batch, input_size, input_size, 3)` to probabilities `(batch, classes)`, and has an attribute `input_size`.
        The config is the dict from `read_config`.

    Raises:
        ClassifierError: a file is missing or damaged, or the two files do not match.
    """
    path = Path(model)
    if path.suffix not in (".tflite", ".keras"):
        if path.is_file():
            raise ClassifierError(f"{path} is not a classifier. Name a run folder, a .tflite file, or a .keras file.")
        path = path / CLASSIFIER
    config = read_config(path.parent)
    if path.suffix == ".tflite" and "sha256" in config and path.is_file():
        if hashlib.sha256(path.read_bytes()).hexdigest() != config["sha256"]:
            raise ClassifierError(
                f"{path} is damaged: it is not the file that {LABELS} in the same folder describes. Install the "
                "package again, or export the classifier again."
            )
    try:
        classifier = KerasClassifier(path) if path.suffix == ".keras" else LiteClassifier(path, num_threads=threads)
    except (ValueError, RuntimeError, IndexError, TypeError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise ClassifierError(str(error)) from None
        kind = "Keras" if path.suffix == ".keras" else "LiteRT"
        raise ClassifierError(f"{path} is damaged: it is not a {kind} classifier ({error}).") from None
    size = config["input_size"]
    if classifier.input_size != size:
        raise ClassifierError(
            f"{path} takes {classifier.input_size}×{classifier.input_size} pixels, but {LABELS} in the same folder "
            f"says {size}: the two files are from different runs. Export the classifier again."
        )
    output_shape = classifier(np.zeros((1, size, size, 3), np.float32)).shape  # also warms up the network
    if output_shape != (1, len(config["classes"])):
        n_classes = "two" if len(config["classes"]) == 2 else "three"
        raise ClassifierError(
            f"{path} gives {output_shape[-1]} probabilities for {n_classes} classes. Export the classifier again."
        )
    return classifier, config


def read_config(folder: str | Path) -> dict:
    """Read and check a run's `labels.json`.

    Args:
        folder: the run folder.

    Returns:
        The config, a dict with `classes` (two or three names in output order), `input_size` (the side of the input in
        pixels), `threshold` (for the probability of the first class), and `crop_margin` (the margin around a face on
        each side, in box sizes). It may also hold `sha256`, which `load_classifier` compares with the .tflite file, and
        `unsure`: [low, high], the probabilities of the first class between which the label should be "unsure".

    Raises:
        ClassifierError: the file is missing, is not JSON, or holds an impossible value.

    Introduced in notebook 05.
    """
    path = Path(folder) / LABELS
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ClassifierError(
            f"{path} is missing. Train a classifier first with `maskdet pipeline` or 04_train_the_classifier.ipynb."
        ) from None
    except ValueError:  # raised for bytes that are not UTF-8 as well as for text that is not JSON
        raise ClassifierError(f"{path} is damaged: it is not JSON. Export the classifier again.") from None

    def is_probability(value):
        return type(value) in (int, float) and 0 < value < 1

    requirements = {
        "classes": lambda names: (
            isinstance(names, list)
            and len(names) in (2, 3)
            and all(isinstance(name, str) for name in names)
            and len(set(names)) == len(names)
        ),
        "input_size": lambda size: type(size) is int and size > 0,
        "threshold": is_probability,
        "crop_margin": lambda value: type(value) in (int, float) and 0 <= value <= 2,
        "unsure": lambda ends: (
            isinstance(ends, list) and len(ends) == 2 and all(map(is_probability, ends)) and ends[0] <= ends[1]
        ),
    }
    for name, is_possible in requirements.items():
        if name == "unsure" and isinstance(config, dict) and name not in config:
            continue
        if not isinstance(config, dict) or name not in config or not is_possible(config[name]):
            raise ClassifierError(f"{path} is damaged: `{name}` is missing or impossible. Export the classifier again.")
    return config


def _existing(path) -> Path:
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path} is missing. Train and export a classifier first with 04_train_the_classifier.ipynb."
        )
    return Path(path)


class LiteNetwork:
    """A LiteRT network with one input and one output, as a function from `(batch, …)` to float32 `(batch, …)`.

    Args:
        content: the bytes of a .tflite file.
        num_threads: how many CPU threads the network may use.
    """

    def __init__(self, content: bytes, num_threads: int = 2):
        from ai_edge_litert.interpreter import Interpreter

        with quiet_stderr():
            self._interpreter = Interpreter(model_content=content, num_threads=num_threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._batch: int | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if len(values) != self._batch:
            self._interpreter.resize_tensor_input(self._input["index"], values.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(values)
        self._interpreter.set_tensor(self._input["index"], values.astype(np.float32, copy=False))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


class LiteClassifier(LiteNetwork):
    """A LiteRT classifier as a function from pixels 0–255 `(batch, size, size, 3)` to probabilities.

    Args:
        path: the .tflite file.
        num_threads: how many CPU threads the network may use.

    Attributes:
        input_size: the side of the input in pixels.

    Raises:
        FileNotFoundError: there is no such file.

    Introduced in notebook 04.
    """

    def __init__(self, path: str | Path, num_threads: int = 2):
        super().__init__(_existing(path).read_bytes(), num_threads)
        self.input_size = int(self._input["shape_signature"][1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return probabilities float32 `(batch, classes)`.

        Raises:
            ValueError: the pixels do not have the size that the classifier was trained for.
        """
        if pixels.shape[1:] != (self.input_size, self.input_size, 3):
            raise ValueError(f"This classifier takes {self.input_size}×{self.input_size} RGB; got {pixels.shape[1:]}.")
        return super().__call__(pixels)


class KerasClassifier:
    """A .keras file as a function, like `LiteClassifier`. Imports TensorFlow."""

    def __init__(self, path: str | Path):
        path = _existing(path)
        from .model import keras

        self._model = keras.saving.load_model(path, compile=False)
        self.input_size = int(self._model.input_shape[1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return probabilities, see `LiteClassifier`."""
        return np.asarray(self._model.predict_on_batch(pixels.astype(np.float32)))
