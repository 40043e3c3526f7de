"""Use a classifier: load it, read its config, and apply its threshold. Imports neither TensorFlow nor pandas.

A run folder and the released classifier look the same: both hold `classifier.tflite` and `labels.json`.
"""

import hashlib
import json
import math
import re
import zipfile
from pathlib import Path

import numpy as np

from .environment import PlainError, quiet_stderr

CLASSIFIER, LABELS = "classifier.tflite", "labels.json"
CONFIG = "config.json"  # in a .keras file
MOST = 100_000_000  # weights of a network, and numbers that one of its layers gives for a photo
RELEASED = Path(__file__).parent / "released"  # comes with the package, see docs/model_card.md


class ClassifierError(PlainError, RuntimeError):
    """A run folder does not hold a usable classifier. The message says what is wrong with it."""


def at_threshold(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Turn probabilities into scores: the class with the largest score in a row is the label, everywhere.

    The first class, "mask", wins where its probability reaches the threshold. Otherwise, the likeliest of the other
    classes wins. So with three classes and a threshold of 0.5, the label is "mask" only if it is at least as
    likely as the other two together.

    Args:
        probabilities: `(n, classes)`.
        threshold: the threshold for the probability of the first class, 0 to 1.

    Returns:
        Scores `(n, classes)`. Their rows do not add up to 1.
    """
    first, others = probabilities[:, :1], probabilities[:, 1:]
    relative = others / np.maximum(others.max(axis=1, keepdims=True), 1e-12)  # 1 for the likeliest one
    return np.hstack([first * (1 - threshold), (1 - first) * threshold * relative])


WORDS = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+"
# What names say, in lowercase words joined by underscores, as in "face_no_mask" or "mask_weared_incorrect".
NO_MASK = (
    r"(^|_)(no|non|not|without|w_?o|bare|off|free|less)(_|$)|(no|non|not|un|without)(face)?mask|mask(less|free|off)"
)
JOINERS = "[\u200c\u200d]"  # invisible, but part of Persian words and of some emoji
INCORRECT = r"incorrect|improper|wrong|partial|(^|_)(nose|chin|mouth)(_|$)"


def by_meaning(classes, mask_class: str | None = None) -> tuple[list[str], str | None]:
    """Tell from the names of classes what they mean, and sort them: mask, no mask, mask worn incorrectly.

    Args:
        classes: two or three names.
        mask_class: the name that means "mask", if the user has said so.

    Returns:
        The sorted names, and the one that means "mask". If none or several of them could mean it ("0" and "1"), the
        names keep their order, and the other value is None.
    """
    words = {name: "_".join(re.findall(WORDS, name)).lower() for name in classes}  # "WithMask" becomes "with_mask"
    incorrect = [name for name in classes if re.search(INCORRECT, words[name])]
    masks = [name for name in classes if re.search("mask|^with$", words[name]) and name not in incorrect]
    masks = [name for name in masks if not re.search(NO_MASK, words[name])]
    if mask_class is None and len(masks) != 1:
        return list(classes), None
    mask_class = masks[0] if mask_class is None else mask_class
    return sorted(classes, key=lambda name: (name != mask_class, name in incorrect)), mask_class


def load_classifier(model: str | Path, threads: int = 2, *, mask_class: str | None = None) -> tuple:
    """Load a classifier and the `labels.json` in the same folder.

    The class that means "mask" comes first, no matter where it is in `labels.json`. So all who use the classifier can
    rely on it that the first class is the one that `threshold` and `unsure` speak about.

    Args:
        model: a run folder, which holds `classifier.tflite`, or a .tflite or .keras file. Only a .keras file needs
            TensorFlow.
        threads: how many CPU threads a .tflite file may use.
        mask_class: the name of the class that means "mask". By default, `labels.json` or the names tell.

    Returns:
        The classifier and its config. The classifier is a function from float32 pixels 0–255
        `(batch, input_size, input_size, 3)` to probabilities `(batch, classes)`, and has an attribute `input_size`.
        The config is the dict from `read_config`, with the classes sorted as in `by_meaning`, and `mask_class`: None
        if nothing tells which class means "mask".

    Raises:
        ClassifierError: a file is missing or damaged, the two files do not match, or no class is called `mask_class`.
    """
    path = Path(model)
    if path.suffix not in (".tflite", ".keras"):
        if path.is_file():
            raise ClassifierError(f"{path} is not a classifier. Give a run folder, a .tflite file, or a .keras file.")
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
    except FileNotFoundError as error:
        raise ClassifierError(str(error)) from None
    except Exception as error:  # the libraries raise many kinds of errors for damaged files
        kind = "Keras" if path.suffix == ".keras" else "LiteRT"
        raise ClassifierError(f"{path} is damaged: it is not a {kind} classifier ({error}).") from None
    size = config["input_size"]
    if classifier.input_size != size:
        raise ClassifierError(
            f"{path} takes {classifier.input_size}×{classifier.input_size} pixels, but {LABELS} in the same folder "
            f"says {size}: the two files are from different runs. Export the classifier again."
        )
    probe = np.random.default_rng(0).uniform(0, 255, (3, size, size, 3)).astype(np.float32)
    probe[0], probe[1] = 0, 255
    answers = classifier(probe)  # this also warms up the network
    if answers.shape != (3, len(config["classes"])):
        n_classes = "two" if len(config["classes"]) == 2 else "three"
        raise ClassifierError(
            f"{path} gives {answers.shape[-1]} probabilities for {n_classes} classes. Export the classifier again."
        )
    if not (np.abs(answers - 0.5).max() < 0.51 and np.allclose(answers.sum(axis=1), 1, atol=0.02)):  # nor may it be NaN
        raise ClassifierError(
            f"{path} does not give probabilities: for a test picture, it gave {answers[-1].tolist()}. They must be from "
            "0 to 1 and add up to 1. End the network with a softmax, and export the classifier again."
        )
    if mask_class is not None and mask_class not in config["classes"]:
        raise ClassifierError(f"No class of {path} is called {mask_class!r}. It has {', '.join(config['classes'])}.")
    names, mask_class = by_meaning(config["classes"], mask_class or config.get("mask_class"))
    classifier.order = [config["classes"].index(name) for name in names]
    return classifier, {**config, "classes": names, "mask_class": mask_class}


def read_config(folder: str | Path) -> dict:
    """Read and check a run's `labels.json`.

    Args:
        folder: the run folder.

    Returns:
        The config, a dict with `classes` (two or three names in output order), `input_size` (the side of the input in
        pixels), `threshold` (for the probability of a mask), and `crop_margin` (the margin around a face on
        each side, in box sizes). It may also hold `sha256`, which `load_classifier` compares with the .tflite file,
        `mask_class`, the class that means "mask" if its name does not say so, and `unsure`: [low, high], the
        probabilities between which the label should be "unsure". `threshold` and `unsure` are about the class that
        means "mask", or about the first class if none is known to mean it.

    Raises:
        ClassifierError: the file is missing, is not JSON, or holds an impossible value.

    Introduced in notebook 05.
    """
    path = Path(folder) / LABELS
    try:
        if not path.is_file():  # a named pipe would be waited for
            raise FileNotFoundError
        with open(path, encoding="utf-8-sig") as file:  # some editors add a byte-order mark
            config = json.loads(file.read(1_000_000))
    except FileNotFoundError:
        raise ClassifierError(
            f"{path} is missing. Train a classifier first with `maskdet pipeline` or 04_train_the_classifier.ipynb."
        ) from None
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or brackets in thousands of brackets
        raise ClassifierError(f"{path} is damaged: it is not JSON. Export the classifier again.") from None

    def is_probability(value):
        return type(value) in (int, float) and 0 < value < 1

    requirements = {
        "classes": lambda names: (
            type(names) is list
            and {*map(type, names)} == {str}
            and len({*names}) == len(names) in (2, 3)
            and all(0 < len(name.strip()) <= 100 and re.sub(JOINERS, "", name).isprintable() for name in names)
        ),
        "input_size": lambda size: type(size) is int and 8 <= size <= 1024,
        "threshold": is_probability,
        "crop_margin": lambda value: type(value) in (int, float) and 0 <= value <= 2,
        "unsure": lambda ends: (
            isinstance(ends, list) and len(ends) == 2 and all(map(is_probability, ends)) and ends[0] <= ends[1]
        ),
        "mask_class": lambda name: name in config["classes"],
    }
    for name, is_possible in requirements.items():
        if name in ("unsure", "mask_class") and isinstance(config, dict) and name not in config:
            continue
        if not isinstance(config, dict) or name not in config or not is_possible(config[name]):
            raise ClassifierError(f"{path} is damaged: `{name}` is missing or invalid. Export the classifier again.")
    return config


def _existing(path) -> Path:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is missing. Train and export one first with 04_train_the_classifier.ipynb.")
    return Path(path)


def _side(shape) -> int:
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise ValueError(f"it takes {tuple(shape)[1:]}, not square photos with three colors")
    return int(shape[1])


def _refuse_huge(path: Path) -> None:
    """Raise `ValueError` if a .keras file unpacks to too much, or if its network is too large, without building it."""
    with zipfile.ZipFile(path) as archive:
        if (
            archive.getinfo(CONFIG).file_size > MOST // 50
            or sum(one.file_size for one in archive.infolist()) > 10 * MOST
        ):
            raise ValueError("its unpacked content is too large")
        config = json.loads(archive.read(CONFIG))
    from .model import keras

    with keras.StatelessScope(initialize_variables=False):  # the weights get shapes, but no values
        network = keras.saving.deserialize_keras_object({**config, "compile_config": None})
    if sum(math.prod(weight.shape) for weight in network.variables) > MOST:
        raise ValueError(f"it has more than {MOST:,} weights")
    nodes = [node for layer in network._flatten_layers() for node in layer._inbound_nodes]
    if any(math.prod(size or 1 for size in output.shape) > MOST for node in nodes for output in node.output_tensors):
        raise ValueError("one of its layers is too large")


class LiteNetwork:
    """A LiteRT network with one input, as a function from `(batch, …)` to its first output, float32 `(batch, …)`.

    Args:
        content: the bytes of a .tflite file.
        num_threads: how many CPU threads the network may use.
    """

    def __init__(self, content: bytes, num_threads: int = 2):
        from ai_edge_litert.interpreter import Interpreter

        with quiet_stderr():
            self._interpreter = Interpreter(model_content=content, num_threads=num_threads)
            if any(math.prod(one["shape"].tolist()) > MOST for one in self._interpreter.get_tensor_details()):
                raise ValueError("one of its layers is too large")
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]
        self._batch: int | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return self.outputs(values)[0]

    def outputs(self, values: np.ndarray) -> list[np.ndarray]:
        """Return all outputs of the network."""
        if len(values) != self._batch:
            self._interpreter.resize_tensor_input(self._input["index"], values.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(values)
        self._interpreter.set_tensor(self._input["index"], values.astype(np.float32, copy=False))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output) for output in self._outputs]


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
        self.input_size = _side(self._input["shape_signature"])
        self.order: slice | list[int] = slice(None)  # of the outputs, see `load_classifier`

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return probabilities float32 `(batch, classes)`.

        Raises:
            ValueError: the pixels do not have the size that the classifier was trained for.
        """
        if pixels.shape[1:] != (self.input_size, self.input_size, 3):
            raise ValueError(f"This classifier takes {self.input_size}×{self.input_size} RGB; got {pixels.shape[1:]}.")
        return super().__call__(pixels)[:, self.order]


class KerasClassifier:
    """A .keras file as a function, like `LiteClassifier`. Imports TensorFlow."""

    def __init__(self, path: str | Path):
        path = _existing(path)
        _refuse_huge(path)
        from .model import keras

        self.network = keras.saving.load_model(path, compile=False)
        self.input_size = _side(self.network.input_shape)
        self.order: slice | list[int] = slice(None)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return probabilities, see `LiteClassifier`."""
        return np.asarray(self.network.predict_on_batch(pixels.astype(np.float32)))[:, self.order]
