"""Several machines train one head: here two processes on 127.0.0.1."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import ROOT

from maskdet_utils import model, training
from maskdet_utils.model import keras

START = [sys.executable, "benchmarks/more_machines.py"]


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Features of 25 views of red and blue photos: a batch of 25 can't be divided by two."""
    folder, rng, files = tmp_path_factory.mktemp("features"), np.random.default_rng(0), []
    for number in range(25):
        color = (30, 30, 200) if number % 2 else (200, 30, 30)
        pixels = np.clip(np.array(color) + rng.integers(-30, 50, (32, 32, 3)), 0, 255)
        files.append(folder / f"{number}.png")
        keras.utils.save_img(files[-1], pixels, scale=False)
    classes = np.eye(2)[np.arange(25) % 2]
    found, targets = training.features_of_views(model.build_base(32), files, classes, n_views=3, seed=0)
    np.savez(folder / "features.npz", features=found, targets=targets)
    return folder / "features.npz"


@pytest.fixture
def start(features, tmp_path):
    """A function that starts one process with its own output, `tmp_path`/NUMBER.keras. The test ends what still runs."""
    children = []
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])

    def start(number, *options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if number < 2:
            cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
            environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}})
        command = [*START, str(features), str(tmp_path / f"{number}.keras"), *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        children.append(subprocess.Popen(command, cwd=ROOT, env=environment, **pipes))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_two_machines_have_the_same_weights_as_one_and_only_the_chief_writes(start, tmp_path):
    options = ["--epochs", "4", "--dropout", "0"]  # each device makes its own random choices
    two = [start(number, *options) for number in range(2)]
    outputs = [child.communicate(timeout=120) for child in two]
    assert [child.returncode for child in two] == [0, 0], outputs
    checksums = [output.split("weights ")[1].split()[0] for output, _ in outputs]
    assert checksums[0] == checksums[1], outputs
    assert not (tmp_path / "1.keras").exists()

    output, message = start(2, *options).communicate(timeout=120)
    losses = [[float(line) for line in re.findall("loss (.*)", text)] for text in (output, outputs[0][0])]
    assert len(losses[0]) == 4, message
    np.testing.assert_allclose(*losses, atol=0.0011)  # Adam would hide gradients that are all twice as large
    one, both = (keras.models.load_model(tmp_path / f"{number}.keras") for number in (2, 0))
    for a, b in zip(one.get_weights(), both.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    keras.utils.set_random_seed(0)
    untrained = model.build_head()
    untrained.build((None, 1, 1, model.FEATURES))
    assert np.abs(untrained.get_weights()[0] - one.get_weights()[0]).max() > 5e-4, (
        "the steps were large enough to differ"
    )


def test_if_a_machine_dies_the_chief_stops_with_a_sentence_and_writes_nothing(start, tmp_path):
    (tmp_path / "0.keras").write_bytes(b"from an earlier run")
    chief, worker = start(0, "--epochs", "1000000"), start(1, "--epochs", "1000000")
    watchdog = threading.Timer(120, chief.kill)
    watchdog.start()
    assert any(line.startswith("epoch  2") for line in chief.stdout)
    worker.terminate()
    assert worker.wait(120) == -signal.SIGTERM, "TensorFlow would go on"
    _, message = chief.communicate()
    watchdog.cancel()
    assert chief.returncode == 1 and message.startswith("Stopped: another machine died or can't be reached ("), message
    assert len(message.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["0.keras"]
    assert (tmp_path / "0.keras").read_bytes() == b"from an earlier run"


def test_machines_that_were_started_with_different_options_say_so(start, tmp_path):
    two = [start(number, "--epochs", str(number + 1)) for number in range(2)]
    messages = [child.communicate(timeout=120)[1] for child in two]
    assert [child.returncode for child in two] == [1, 1], messages
    assert all("different features or options" in message for message in messages), messages
    assert not list(tmp_path.iterdir())


def test_a_file_without_features_is_named(tmp_path):
    (tmp_path / "wrong.npz").write_bytes(b"PK")
    command = [*START, tmp_path / "wrong.npz", tmp_path / "head.keras"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.startswith(f"Stopped: {tmp_path}/wrong.npz is not an .npz file")
