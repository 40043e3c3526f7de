"""Compare our training with the usual recipe, from photos on disk to a saved classifier: time, memory, and accuracy.

    python benchmarks/training.py [--public FOLDER] [--runs FOLDER] [--only NAME] [--photos N] [--epochs N]

There are four training runs, each in a separate process, one after the other:

recipe  exactly as in the tutorials: every photo goes through the frozen base in every epoch
frozen  the same task our way: the same photos and the same frozen base, but every photo goes through it once
tuned   all our stages on the same photos: first the frozen base, then its top fine-tuned
ours    like the released classifier, with params/public.yaml: also with drawn masks and the photos of the sample

All get the cleaned photos of the public data set that are not in its test set. The recipe splits them at random, as it
always does; ours get the fixed training and validation sets. All are tested on the fixed test set, where each reads
photos in its own way. The clock runs from the first photo to the saved `classifier.keras`, not counting the start of
TensorFlow. Each run leaves a folder (`classifier.keras`, `classifier.tflite`, `labels.json`) in --runs, which `maskdet
evaluate --model` can read. Only the ratios within one run count. The benchmark takes half an hour and five gigabytes of
memory, because the recipe holds all photos in one array. Writes JSON.
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
    """Measure the seconds since the stopwatch was made."""

    def __init__(self):
        self.start = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds so far."""
        return time.perf_counter() - self.start


# The usual recipe, to the letter, except for names that Keras has changed since


def usual(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int = 20) -> dict:
    """Train as the usual recipe does, see above. Returns the scores that `measure` writes.

    Args:
        photos: The photos to train on: `file`, `label`.
        test: The photos of the test set: `file`, `label`, `group`.
        run_dir: An existing folder for the classifier.
        epochs: The largest number of epochs. Early stopping may end the training sooner.
    """
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
    # A classifier with a `labels.json` takes pixels from 0 to 255, so the recipe's scaling becomes its first layer.
    pixels = keras.Input((224, 224, 3), name="pixels")
    classifier = keras.Model(pixels, model(keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)))
    classifier.save(run_dir / "classifier.keras")
    seconds, memory = watch.seconds(), peak_memory()

    # The recipe reports its accuracy on the same 20% that decided when to stop.
    own = evaluation.accuracy(test_y.argmax(axis=1), model.predict(test_x, batch_size=32, verbose=0))
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
    """Return the parameters of notebook 07 as params/public.yaml sets them."""
    return {
        **pipeline.parameters_of(resolve("notebooks/07_make_it_better.ipynb")),
        **pipeline.read_profile("public"),
    }


# Only the recipe's photos, with one augmented view of each, or with two to fine-tune the top of the base on.
FROZEN = {"image_size": 160, "add_sample": False, "n_drawn": 0, "cut_faces": False, "n_views": 1, "fine_tune_epochs": 0}
TUNED = FROZEN | {"n_views": 2, "fine_tune_epochs": 3}


def ours(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None = None, changes=None) -> dict:
    """Train as notebook 07 does with params/public.yaml. Returns the scores that `measure` writes.

    Args:
        photos: The photos to train on: `file`, `label`, `split`.
        test: The photos of the test set: `file`, `label`, `group`.
        run_dir: An existing folder for the classifier.
        epochs: The largest number of epochs. By default that of the notebook.
        changes: Changes to the parameters, such as `FROZEN`.
    """
    from benchmarks import recipe
    from maskdet_utils import sample, training_set

    given = parameters() | (changes or {})
    if epochs is not None:
        given |= {"epochs": epochs, "fine_tune_epochs": min(epochs, given["fine_tune_epochs"])}
    sample.build()  # not timed, because the first notebook makes it once for all runs
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
    """Train our way for the recipe's task. Returns the scores that `measure` writes."""
    return ours(photos, test, run_dir, epochs, FROZEN)


def tuned(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None = None) -> dict:
    """Train with all our stages on the recipe's photos. Returns the scores that `measure` writes."""
    return ours(photos, test, run_dir, epochs, TUNED)


def keras_callback(at_end):
    """Make a Keras callback that calls `at_end()` after each epoch."""
    from maskdet_utils.model import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: at_end())


# Measuring


def peak_memory() -> dict:
    """Return the peak resident memory of this process so far, in megabytes.

    It does not include the processes that draw masks for ours, 0.3 GB each. They end before the peak.
    """
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    return {"peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)}


def on_test(test: pd.DataFrame, probabilities) -> dict:
    """Compute the accuracy on the clean test set, with its 95% interval over groups."""
    truth = (test["label"] == CLASSES[1]).to_numpy().astype(int)
    return evaluation.with_interval(evaluation.accuracy, truth, probabilities, test["group"])


def export(classifier, run_dir: Path, input_size: int, crop_margin: float) -> None:
    """Write the other files of a run folder, which `maskdet evaluate --model` needs."""
    from maskdet_utils.export import to_litert

    to_litert(classifier, run_dir / "classifier.tflite")
    config = {"classes": CLASSES, "input_size": input_size, "threshold": 0.5, "crop_margin": crop_margin}
    write_file(run_dir / "labels.json", (json.dumps(config, indent=2) + "\n").encode())


TRAININGS = {"recipe": usual, "frozen": frozen, "tuned": tuned, "ours": ours}


def measure(name: str, photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None, answer: Path):
    """Do one training run in a separate process and write its scores to the file `answer`."""
    options = {} if epochs is None else {"epochs": epochs}
    run_dir.mkdir(parents=True, exist_ok=True)
    write_file(answer, json.dumps(TRAININGS[name](photos, test, run_dir, **options)).encode())


def photos_to_train_and_test(folder: Path, count: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the cleaned photos of the public data set.

    Args:
        folder: The unpacked data set.
        count: The largest number of photos to train on, and also to test on. None for all.

    Returns:
        The photos to train on and those of the test set, each with `file`, `label`, `group`, and `split`.
    """
    manifest, _ = public.read_manifest(folder)
    manifest["file"] = [str(folder / path) for path in manifest["path"]]
    is_test = manifest["split"] == "test"
    sets = manifest[~is_test], manifest[is_test]
    if count:
        sets = (chosen.sample(min(count, len(chosen)), random_state=0).sort_index() for chosen in sets)
    photos, test = (chosen.reset_index(drop=True) for chosen in sets)
    return photos, test


def ratios(results: dict) -> dict:
    """Compute the time and the peak memory of each of our training runs as a fraction of the recipe's."""
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
    """Format the results as text, one line per training run."""
    lines = []
    for name in (name for name in TRAININGS if name in results):
        row, ratio = results[name], results.get("ratios", {}).get(name)
        accuracy = "{value:.4f} ({low:.4f}–{high:.4f})".format(**row["accuracy"])
        relative = (
            f"; 1/{1 / ratio['time']:.1f} of the time, 1/{1 / ratio['peak memory']:.1f} of the memory" if ratio else ""
        )
        lines.append(f"{name:7s} {row['seconds']:6.0f} s, {row['peak_memory_mb']} MB, accuracy {accuracy}{relative}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, default=resolve(public.FOLDER), help="default: data/public")
    parser.add_argument(
        "--runs",
        type=Path,
        default=resolve("runs"),
        help="folder for the run folders, such as bench-recipe (default: runs)",
    )
    parser.add_argument(
        "--only", choices=TRAININGS, help="do only this training run and keep the results of the others"
    )
    parser.add_argument(
        "--photos", type=int, help="use at most this many photos each for training and testing, for a trial run"
    )
    parser.add_argument("--epochs", type=int, help="number of epochs in every training run, for a trial run")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    photos, test = photos_to_train_and_test(options.public, options.photos)
    if photos.empty:
        parser.error(f"{options.public} holds no photos from the public data set. Get it with: maskdet fetch public")
    results = json.loads(options.results.read_text()) if options.only and options.results.is_file() else {}
    results |= {"photos": len(photos), "test_photos": len(test), "cores": os.cpu_count()}
    for name in TRAININGS:
        if options.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "answer.json"
            arguments = name, photos, test, options.runs / f"bench-{name}", options.epochs, answer
            # A forked process would inherit the memory of this one, which must not count.
            process = get_context("spawn").Process(target=measure, args=arguments)
            process.start()
            process.join()
            if not answer.is_file():
                sys.exit(f"{name}: its process ended without a result (exit code {process.exitcode})")
            results[name] = json.loads(answer.read_text())
        if "recipe" in results:
            results["ratios"] = ratios(results)
        write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())
    print(summary(results))


if __name__ == "__main__":
    main()
