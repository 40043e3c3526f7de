"""The usual recipe against ours, from photos on disk to a saved classifier: time, memory, accuracy. Writes JSON.

    python benchmarks/training.py [--public FOLDER] [--runs FOLDER] [--only recipe|ours] [--photos N] [--epochs N]

Both get all cleaned photos of the public data set that are not in its test part; the recipe splits them at random, as it
does, ours uses the fixed training and validation parts. The fixed test part judges both, each with its own way to read
a photo. Each trains in a process of its own, one after the other. The clock runs from the first photo to the saved
`classifier.keras`, TensorFlow's start aside. Each leaves a run folder (`classifier.keras`, `classifier.tflite`,
`labels.json`) in --runs, such as `maskdet evaluate --model` takes. Only ratios of one run count; it takes more than half
an hour and seven gigabytes of memory: the recipe holds all photos in one array.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from maskdet_utils import evaluation, public, runs
from maskdet_utils.paths import resolve, write_file

RESULTS = "benchmarks/results/training.json"
CLASSES = ["with_mask", "without_mask"]


class Stopwatch:
    """Seconds since it was made, those aside in which it was stopped."""

    def __init__(self):
        self.start, self.lost = time.perf_counter(), 0.0

    def seconds(self) -> float:
        return time.perf_counter() - self.start - self.lost

    @contextmanager
    def stopped(self):
        since = time.perf_counter()
        yield
        self.lost += time.perf_counter() - since


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
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: moments.append(round(watch.seconds(), 1))),
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
    stage = {"stage": "frozen base", "seconds": round(seconds, 1), "accuracy": on_test(test, probabilities)}
    return {
        "image_size": 224,
        "load_seconds": round(loaded, 1),
        "epoch_seconds": moments,
        "own_accuracies": validation_accuracy,
        "own_accuracy": own,
        "stages": [stage],
        **memory,
    }


# Ours


def train_ours(photos: pd.DataFrame, folder: Path, callbacks, epochs: int | None = None):
    """Train as notebook 04 does with params/public.yaml; returns the classifier.

    photos: `file`, `label` and `split`. folder: for drawn pictures. callbacks: of both trainings, head and fine-tuning.
    """
    from maskdet_utils import recipe

    given = parameters()
    if epochs is not None:
        given |= {"epochs": epochs, "fine_tune_epochs": epochs}
    names = ("image_size", "n_drawn", "n_views", "epochs", "fine_tune_epochs", "cut_faces", "seed")
    if given["add_sample"]:
        photos = recipe.with_sample(photos, given["seed"])
    return recipe.train(photos, CLASSES, folder, callbacks=callbacks, **{name: given[name] for name in names})


def parameters() -> dict:
    """Those of notebook 04, as params/public.yaml sets them."""
    return {**runs.parameters_of(resolve("notebooks/04_train_the_classifier.ipynb")), **runs.read_profile("public")}


def ours(photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None = None) -> dict:
    """Train, time and judge ours; returns what `measure` writes down."""
    from maskdet_utils import model, sample, training

    size = parameters()["image_size"]
    sample.build()  # as every run finds it: made once, by the first notebook
    # What judges after each epoch is made ready before the clock starts, and the clock is stopped while it does.
    lower, upper = model.split_base(model.build_base(size))
    test_maps, _ = training.maps_of_views(lower, test["file"], np.zeros((len(test), 2)), 0, 0)
    test_features = training.features_of_maps(upper, test_maps)
    found: list = []

    class Judge(model.keras.callbacks.Callback):
        """The accuracy on the test part after each epoch, and with the weights that a stage ends with."""

        def judge(self, epoch):
            with watch.stopped():
                seconds = watch.seconds()
                is_head = len(self.model.input_shape) == 2
                probabilities = self.model.predict(test_features if is_head else test_maps, verbose=0)
                stage = "frozen base" if is_head else "top fine-tuned"
                accuracy = on_test(test, probabilities, interval=epoch is None)
                found.append({"stage": stage, "epoch": epoch, "seconds": round(seconds, 1), "accuracy": accuracy})

        def on_epoch_end(self, epoch, logs=None):
            self.judge(epoch + 1)

        def on_train_end(self, logs=None):
            self.judge(None)

    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        classifier = train_ours(photos, Path(folder), [Judge()], epochs)
        classifier.save(run_dir / "classifier.keras")
        seconds, memory = watch.seconds(), peak_memory()
    export(classifier, run_dir, size, crop_margin=0.25)
    # The last stage's figure is the saved classifier's: after fine-tuning its odds were made even.
    whole = on_test(test, evaluation.classify_photos(classifier, test["file"].tolist(), size))
    stages = [{name: row[name] for name in ("stage", "seconds", "accuracy")} for row in found if row["epoch"] is None]
    stages[-1] |= {"seconds": round(seconds, 1), "accuracy": whole}
    epochs_found = [row for row in found if row["epoch"] is not None]
    return {"image_size": size, "stages": stages, "epochs": epochs_found, **memory}


# Measuring


def peak_memory() -> dict:
    """The largest resident size so far of this process, in megabytes.

    Not in it: the workers that draw masks for ours, 0.3 GB each, which are gone before the memory is at its largest.
    """
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, kilobytes elsewhere
    return {"peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)}


def on_test(test: pd.DataFrame, probabilities, interval: bool = True) -> dict | float:
    """Accuracy on the clean test part, with its 95 % interval over groups if asked for."""
    truth = (test["label"] == CLASSES[1]).to_numpy().astype(int)
    if not interval:
        return round(evaluation.accuracy(truth, probabilities), 4)
    return evaluation.with_interval(evaluation.accuracy, truth, probabilities, test["group"])


def export(classifier, run_dir: Path, input_size: int, crop_margin: float) -> None:
    """The other files of a run folder, see `maskdet evaluate --model`."""
    from maskdet_utils.export import to_litert

    to_litert(classifier, run_dir / "classifier.tflite")
    labels = {"classes": CLASSES, "input_size": input_size, "threshold": 0.5, "crop_margin": crop_margin}
    write_file(run_dir / "labels.json", (json.dumps(labels, indent=2) + "\n").encode())


def measure(name: str, photos: pd.DataFrame, test: pd.DataFrame, run_dir: Path, epochs: int | None, answer: Path):
    """What a process of its own does: train one of the two, write what was measured to `answer`."""
    more = {} if epochs is None else {"epochs": epochs}
    run_dir.mkdir(parents=True, exist_ok=True)
    write_file(answer, json.dumps({"recipe": usual, "ours": ours}[name](photos, test, run_dir, **more)).encode())


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
    """Ours in shares of the recipe's: time of each stage and until the recipe's accuracy, memory."""
    usual, our = results["recipe"], results["ours"]
    seconds = usual["stages"][-1]["seconds"]
    found = {f"time, {stage['stage']}": stage["seconds"] / seconds for stage in our["stages"]}
    goal = usual["stages"][-1]["accuracy"]["value"]
    reached = [row["seconds"] for row in our["epochs"] if row["accuracy"] >= goal]
    found["time until the recipe's accuracy"] = reached[0] / seconds if reached else None
    found["peak memory"] = our["peak_memory_mb"] / usual["peak_memory_mb"]
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def table(results: dict) -> str:
    """Markdown: a row a stage."""
    lines = ["| trained how | seconds | peak memory, MB | accuracy, clean test part |", "|---|---|---|---|"]
    for name in ("recipe", "ours"):
        for stage in results.get(name, {}).get("stages", []):
            accuracy = "{value:.4f} ({low:.4f}–{high:.4f})".format(**stage["accuracy"])
            memory = f"{results[name]['peak_memory_mb']:,}"
            lines.append(f"| {name}: {stage['stage']} | {stage['seconds']:.0f} | {memory} | {accuracy} |")
    for name, ratio in results.get("ratios", {}).items():
        lines.append(f"\n{name}: " + ("never" if ratio is None else f"{ratio:.3f} of the recipe's (1/{1 / ratio:.1f})"))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, default=resolve(public.FOLDER), help="default: data/public")
    parser.add_argument(
        "--runs", type=Path, default=resolve("runs"), help="for bench-recipe and bench-ours (default: runs)"
    )
    parser.add_argument("--only", choices=("recipe", "ours"), help="the other one's results stay as they are")
    parser.add_argument("--photos", type=int, help="only so many to train and so many to test with, to try it out")
    parser.add_argument("--epochs", type=int, help="of every training, to try it out")
    parser.add_argument("--results", type=Path, default=resolve(RESULTS), help=f"default: {RESULTS}")
    options = parser.parse_args()
    photos, test = photos_to_train_and_test(options.public, options.photos)
    if photos.empty:
        parser.error(f"{options.public} holds no photo of the public data set; maskdet fetch public brings it")
    results = json.loads(options.results.read_text()) if options.only and options.results.is_file() else {}
    results |= {"photos": len(photos), "test_photos": len(test), "cores": os.cpu_count()}
    for name in ("recipe", "ours"):
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
        if "recipe" in results and "ours" in results:
            results["ratios"] = ratios(results)
        write_file(options.results, (json.dumps(results, indent=1) + "\n").encode())
    print(table(results))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
