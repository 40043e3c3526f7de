"""Using a classifier: load it, read its config, apply its threshold. Imports neither TensorFlow nor pandas.

A run folder and the released classifier look the same: `classifier.tflite` and `labels.json`, side by side.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from .environment import quiet_stderr
from .paths import resolve

CLASSIFIER, LABELS = "classifier.tflite", "labels.json"


RELEASED = Path(__file__).parent / "released"  # comes with the package, see docs/model_card.md


class ClassifierError(RuntimeError):
    """A run folder does not hold a usable classifier; the message says what is wrong with it."""


DEFAULT_RUNS = ("runs/default", "runs/lab")


def default_run() -> Path:
    """The folder of the classifier that is used if none is named: your latest run's, else the released one."""
    for name in DEFAULT_RUNS:
        try:
            folder = resolve(name)
        except FileNotFoundError:  # installed without the repository
            break
        if (folder / CLASSIFIER).is_file():
            return folder
    return RELEASED


def at_threshold(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Scores `(n, classes)` the largest of which is the label: the first class where its probability reaches the threshold.

    With three classes, the odds of the first one are divided by those of the threshold, and the likeliest class wins.
    """
    return probabilities * np.array([1 - threshold] + [threshold] * (probabilities.shape[1] - 1))


def load_classifier(model, threads: int = 2) -> tuple:
    """The classifier of a run folder (`classifier.tflite`) or a .tflite or .keras file, and the `labels.json` beside it.

    Returns a function from float32 pixels 0–255 `(batch, input_size, input_size, 3)` to probabilities `(batch,
    classes)`, with an attribute `input_size`, and what `read_config` gives. Only a .keras file needs TensorFlow.

    Raises `ClassifierError` if a file is missing or damaged, or the two do not fit each other.
    """
    path = Path(model)
    if path.suffix not in (".tflite", ".keras"):
        if path.is_file():
            raise ClassifierError(f"{path} is no classifier. Name a run folder, a .tflite or a .keras file.")
        path = path / CLASSIFIER
    config = read_config(path.parent)
    if path.suffix == ".tflite" and "sha256" in config and path.is_file():
        if hashlib.sha256(path.read_bytes()).hexdigest() != config["sha256"]:
            raise ClassifierError(
                f"{path} is damaged: it is not the file that {LABELS} beside it describes. Install the package again, "
                "or make the classifier anew."
            )
    try:
        classifier = KerasClassifier(path) if path.suffix == ".keras" else LiteClassifier(path, num_threads=threads)
    except (ValueError, RuntimeError, IndexError, TypeError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise ClassifierError(str(error)) from None
        kind = "Keras" if path.suffix == ".keras" else "LiteRT"
        raise ClassifierError(f"{path} is damaged: it is no {kind} classifier ({error}).") from None
    size = config["input_size"]
    if classifier.input_size != size:
        raise ClassifierError(
            f"{path} takes {classifier.input_size}×{classifier.input_size} pixels, but {LABELS} beside it says {size}: "
            "the two are from different runs. Export the classifier again."
        )
    outputs = classifier(np.zeros((1, size, size, 3), np.float32)).shape  # and the first real frame will not wait
    if outputs != (1, len(config["classes"])):
        number = "two" if len(config["classes"]) == 2 else "three"
        raise ClassifierError(
            f"{path} gives {outputs[-1]} probabilities for {number} classes. Export the classifier again."
        )
    return classifier, config


def read_config(folder) -> dict:
    """What a run's `labels.json` says: `classes` (two or three names), `input_size`, `threshold`, `crop_margin`.

    It may say `sha256` of the `.tflite` file, which is then checked, and `unsure`: [low, high], probabilities of the first class between which nothing should be claimed.

    Raises `ClassifierError` if the file is missing, is no JSON or says something impossible.
    """
    path = Path(folder) / LABELS
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ClassifierError(
            f"{path} is missing. Train a classifier first: maskdet pipeline, or 04_train_the_classifier.ipynb."
        ) from None
    except ValueError:  # no UTF-8 or no JSON
        raise ClassifierError(f"{path} is damaged: it is no JSON. Export the classifier again.") from None

    def is_share(value):
        return type(value) in (int, float) and 0 < value < 1

    asked_for = {
        "classes": lambda names: (
            isinstance(names, list)
            and len(names) in (2, 3)
            and all(isinstance(name, str) for name in names)
            and len(set(names)) == len(names)
        ),
        "input_size": lambda size: type(size) is int and size > 0,
        "threshold": is_share,
        "crop_margin": lambda value: type(value) in (int, float) and 0 <= value <= 2,
        "unsure": lambda band: (
            isinstance(band, list) and len(band) == 2 and all(map(is_share, band)) and band[0] <= band[1]
        ),
    }
    for name, is_possible in asked_for.items():
        if name == "unsure" and isinstance(config, dict) and name not in config:
            continue
        if not isinstance(config, dict) or name not in config or not is_possible(config[name]):
            raise ClassifierError(
                f"{path} is damaged: its {name} is missing or impossible. Export the classifier again."
            )
    return config


def _existing(path) -> Path:
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path} is missing. Train and export a classifier first: 04_train_the_classifier.ipynb."
        )
    return Path(path)


class LiteNetwork:
    """A LiteRT network with one input and one output as a function from `(batch, …)` to float32 `(batch, …)`."""

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
    """A LiteRT classifier as a function: pixels `(batch, size, size, 3)` in, probabilities `(batch, classes)` out."""

    def __init__(self, path, num_threads: int = 2):
        super().__init__(_existing(path).read_bytes(), num_threads)
        self.input_size = int(self._input["shape_signature"][1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Raises `ValueError` if `pixels` is not of the size that the classifier was trained for."""
        if pixels.shape[1:] != (self.input_size, self.input_size, 3):
            raise ValueError(f"This classifier takes {self.input_size}×{self.input_size} RGB; got {pixels.shape[1:]}.")
        return super().__call__(pixels)


class KerasClassifier:
    """A .keras file as a function, like `LiteClassifier`. Imports TensorFlow."""

    def __init__(self, path):
        path = _existing(path)
        from .model import keras

        self._model = keras.saving.load_model(path, compile=False)
        self.input_size = int(self._model.input_shape[1])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """See `LiteClassifier`."""
        return np.asarray(self._model.predict_on_batch(pixels.astype(np.float32)))
