"""The usual recipe against ours, from photos on disk to a saved classifier: time, memory, accuracy. Writes JSON.

    python benchmarks/training.py [--public FOLDER] [--runs FOLDER] [--only NAME] [--photos N] [--epochs N]

Four trainings, each in a process of its own, one after the other:

recipe  to the letter: through the frozen base in every epoch
frozen  the same task our way: the same photos, the same base, frozen, but every photo goes through it once
tuned   all stages of ours on the same photos: the frozen base, then its top fine-tuned
ours    the released classifier's, params/public.yaml: besides, masks drawn and photos of the sample added

All get the cleaned photos of the public data set that are not in its test part; the recipe splits them at random, as it
does, ours are given the fixed training and validation parts. The fixed test part judges all, each with its own way to
read a photo. The clock runs from the first photo to the saved `classifier.keras`, TensorFlow's start aside. Each leaves
a run folder (`classifier.keras`, `classifier.tflite`, `labels.json`) in --runs, such as `maskdet evaluate --model`
takes. Only ratios of one run count; it takes half an hour and five gigabytes of memory: the recipe holds all photos in
one array.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from maskdet_utils import evaluation, pipeline, public
from maskdet_utils.paths import resolve, write_file

RESULTS = "benchmarks/results/training.json"
CLASSES = ["with_mask", "without_mask"]


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self):
        self.start = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self.start


# The usual recipe, to the letter; only names that Keras has changed are today's


def usual(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int = 20) -> dict:
    """Train as the usual recipe does, see above; returns what `measure` writes down."""
    import tensorflow as tf
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelBinarizer

    from maskdet_utils.model import build_base, keras

    prepare = keras.applications.mobilenet_v2.preprocess_input

    def load(files):
        data = []
        for file in files:
            data.append(prepare(keras.utils.img_to_array(keras.utils.load_img(file, target_size=(224, 224)))))
        return np.array(data, dtype="float32")

    watch = Stopwatch()
    data = load(photos["file"])
    loaded = watch.seconds()
    binarizer = LabelBinarizer()
    labels = keras.utils.to_categorical(binarizer.fit_transform(photos["label"]))
    train_x, test_x, train_y, test_y = train_test_split(data, labels, test_size=0.20, stratify=labels, random_state=42)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        rotation_range=20,
        zoom_range=0.15,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.15,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    base = build_base(224)  # frozen
    head = keras.layers.AveragePooling2D(pool_size=(7, 7))(base.output)
    head = keras.layers.Flatten(name="flatten")(head)
    head = keras.layers.Dense(128, activation="relu")(head)
    head = keras.layers.Dropout(0.5)(head)
    head = keras.layers.Dense(2, activation="softmax")(head)
    model = keras.Model(base.input, head)
    rate = keras.optimizers.schedules.InverseTimeDecay(1e-4, decay_steps=1, decay_rate=1e-4 / 20)
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(rate), metrics=["accuracy"])
    moments = []
    history = model.fit(
        generator.flow(train_x, train_y, batch_size=32),
        validation_data=(test_x, test_y),
        epochs=epochs,
        verbose=2,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=2),
            keras_callback(lambda: moments.append(round(watch.seconds(), 1))),
        ],
    )
    # The saved file takes pixels, as `labels.json` promises: the recipe's scaling becomes its first layer.
    pixels = keras.Input((224, 224, 3), name="pixels")
    classifier = keras.Model(pixels, model(keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)))
    classifier.save(run_dir / "classifier.keras")
    seconds, memory = watch.seconds(), peak_memory()

    said = model.predict(test_x, batch_size=32, verbose=0)
    own = evaluation.accuracy(
        test_y.argmax(axis=1), said
    )  # what the recipe reports: 20 % that also decided when to stop
    validation_accuracy = [round(value, 4) for value in history.history["val_accuracy"]]
    del data, train_x, test_x
    probabilities = model.predict(load(test["file"]), batch_size=32, verbose=0)
    export(classifier, run_dir, input_size=224, crop_margin=0.0)
    return {
        "image_size": 224,
        "load_seconds": round(loaded, 1),
        "epoch_seconds": moments,
        "seconds": round(seconds, 1),
        "accuracy": on_test(test, probabilities),
        "own_accuracies": validation_accuracy,
        "own_accuracy": own,
        **memory,
    }


# Ours


def parameters() -> dict:
    """Those of notebook 07, as params/public.yaml sets them."""
    return {
        **pipeline.parameters_of(resolve("notebooks/07_make_it_better.ipynb")),
        **pipeline.read_profile("public"),
    }


# The recipe's photos and no more; one altered view of each, or two if the top of the base is to learn from them.
FROZEN = {"image_size": 160, "add_sample": False, "n_drawn": 0, "cut_faces": False, "n_views": 1, "fine_tune_epochs": 0}
TUNED = FROZEN | {"n_views": 2, "fine_tune_epochs": 3}


def ours(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None = None, changes=None) -> dict:
    """Train as notebook 07 does with params/public.yaml, time and judge it; returns what `measure` writes down.

    changes: to these parameters, such as `FROZEN`.
    """
    from benchmarks import recipe
    from maskdet_utils import sample, training_set

    given = parameters() | (changes or {})
    if epochs is not None:
        given |= {"epochs": epochs, "fine_tune_epochs": min(epochs, given["fine_tune_epochs"])}
    sample.build()  # as every run finds it: made once, by the first notebook
    watch, moments = Stopwatch(), []
    times = keras_callback(lambda: moments.append(round(watch.seconds(), 1)))
    with tempfile.TemporaryDirectory() as folder:
        if given["add_sample"]:
            photos = training_set.with_sample(photos, given["seed"])
        names = ("image_size", "n_drawn", "n_views", "epochs", "fine_tune_epochs", "cut_faces", "seed")
        classifier = recipe.train(photos, CLASSES, folder, callbacks=[times], **{name: given[name] for name in names})
        classifier.save(run_dir / "classifier.keras")
        seconds, memory = watch.seconds(), peak_memory()
    export(classifier, run_dir, given["image_size"], crop_margin=0.25)
    whole = on_test(test, evaluation.classify_photos(classifier, test["file"].tolist(), given["image_size"]))
    return {
        "image_size": given["image_size"],
        "seconds": round(seconds, 1),
        "epoch_seconds": moments,
        "accuracy": whole,
        **memory,
    }


def frozen(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None = None) -> dict:
    """The recipe's task our way; returns what `measure` writes down."""
    return ours(photos, test, run_dir, epochs, FROZEN)


def tuned(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None = None) -> dict:
    """All stages of ours on the recipe's photos; returns what `measure` writes down."""
    return ours(photos, test, run_dir, epochs, TUNED)


def keras_callback(at_end):
    """A callback that calls `at_end()` after each epoch."""
    from maskdet_utils.model import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: at_end())


# Measuring


def peak_memory() -> dict:
    """The largest resident size so far of this process, in megabytes.

    Not in it: the workers that draw masks for ours, 0.3 GB each, which are gone before the memory is at its largest.
    """
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    return {"peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)}


def on_test(test: pd.DataFrame, probabilities) -> dict:
    """Accuracy on the clean test part, with its 95 % interval over groups."""
    truth = (test["label"] == CLASSES[1]).to_numpy().astype(int)
    return evaluation.with_interval(evaluation.accuracy, truth, probabilities, test["group"])


def export(classifier, run_dir: Path, input_size: int, crop_margin: float) -> None:
    """The other files of a run folder, see `maskdet evaluate --model`."""
    from maskdet_utils.export import to_litert

    to_litert(classifier, run_dir / "classifier.tflite")
    labels = {"classes": CLASSES, "input_size": input_size, "threshold": 0.5, "crop_margin": crop_margin}
    write_file(run_dir / "labels.json", (json.dumps(labels, indent=2) + "\n").encode())


TRAININGS = {"recipe": usual, "frozen": frozen, "tuned": tuned, "ours": ours}


def measure(name: str, photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None, answer: Path):
    """What a process of its own does: train one of the two, write what was measured to `answer`."""
    more = {} if epochs is None else {"epochs": epochs}
    run_dir.mkdir(parents=True, exist_ok=True)
    write_file(answer, json.dumps(TRAININGS[name](photos, test, run_dir, **more)).encode())


def photos_to_train_and_test(folder: Path, count: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cleaned photos (`file`, `label`, `group`, `split`), the test part apart; `count`: so many of each at most."""
    manifest, _ = public.read_manifest(folder)
    manifest["file"] = [str(folder / path) for path in manifest["path"]]
    is_test = manifest["split"] == "test"
    parts = manifest[~is_test], manifest[is_test]
    if count:
        parts = (part.sample(min(count, len(part)), random_state=0).sort_index() for part in parts)
    photos, test = (part.reset_index(drop=True) for part in parts)
    return photos, test


def ratios(results: dict) -> dict:
    """Ours in shares of the recipe's: time and peak of memory of each of our trainings."""
    usual = results["recipe"]
    return {
        name: {
            "time": round(results[name]["seconds"] / usual["seconds"], 3),
            "peak memory": round(results[name]["peak_memory_mb"] / usual["peak_memory_mb"], 3),
        }
        for name in TRAININGS
        if name in results and name != "recipe"
    }


def summary(results: dict) -> str:
    """A line a training."""
    lines = []
    for name in (name for name in TRAININGS if name in results):
        row, ratio = results[name], results.get("ratios", {}).get(name)
        accuracy = "{value:.4f} ({low:.4f}–{high:.4f})".format(**row["accuracy"])
        parts = (
            f"; 1/{1 / ratio['time']:.1f} of the time, 1/{1 / ratio['peak memory']:.1f} of the memory" if ratio else ""
        )
        lines.append(f"{name:7s} {row['seconds']:6.0f} s, {row['peak_memory_mb']} MB, accuracy {accuracy}{parts}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, default=resolve(public.FOLDER), help="default: data/public")
    parser.add_argument(
        "--runs", type=Path, default=resolve("runs"), help="for bench-recipe and the others (default: runs)"
    )
    parser.add_argument("--only", choices=TRAININGS, help="the others' results stay as they are")
    parser.add_argument("--photos", type=int, help="only so many to train and so many to test with, to try it out")
    parser.add_argument("--epochs", type=int, help="of every training, to try it out")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    photos, test = photos_to_train_and_test(options.public, options.photos)
    if photos.empty:
        parser.error(f"{options.public} holds no photo of the public data set; maskdet fetch public brings it")
    results = json.loads(options.results.read_text()) if options.only and options.results.is_file() else {}
    results |= {"photos": len(photos), "test_photos": len(test), "cores": os.cpu_count()}
    for name in TRAININGS:
        if options.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "answer.json"
            arguments = name, photos, test, options.runs / f"bench-{name}", options.epochs, answer
            # A new process, not a fork: what this one has in memory shall not count.
            process = get_context("spawn").Process(target=measure, args=arguments)
            process.start()
            process.join()
            if not answer.is_file():
                sys.exit(f"{name}: its process ended without an answer (exit code {process.exitcode})")
            results[name] = json.loads(answer.read_text())
        if "recipe" in results:
            results["ratios"] = ratios(results)
        write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())
    print(summary(results))


if __name__ == "__main__":
    main()
