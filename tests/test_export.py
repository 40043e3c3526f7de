"""The LiteRT file: the same classifier in another format."""

import numpy as np
import pytest

from maskdet_utils import export, model
from maskdet_utils.classifier import LiteClassifier, LiteNetwork
from tools import quantize

SIZE = 64


@pytest.fixture(scope="module")
def classifier():
    model.set_seed(0)
    return model.build_classifier(model.build_base(SIZE), model.build_head())


@pytest.fixture(scope="module")
def file(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "classifier.tflite"
    export.to_litert(classifier, path)
    return path


def test_it_agrees_with_keras_for_any_number_of_photos(classifier, file):
    lite = LiteClassifier(file)
    assert lite.input_size == SIZE
    rng = np.random.default_rng(0)
    for count in (1, 5, 1, 33):
        pixels = rng.uniform(0, 255, (count, SIZE, SIZE, 3)).astype(np.float32)
        probabilities = lite(pixels)
        assert probabilities.shape == (count, 2)
        assert np.abs(probabilities - classifier.predict(pixels, verbose=0)).max() < 1e-3
        assert np.ptp(probabilities) > 1e-2, "not a constant"


def test_pixels_of_another_size_are_refused(file):
    with pytest.raises(ValueError, match="takes 64×64 RGB; got \\(32, 32, 3\\)"):
        LiteClassifier(file)(np.zeros((1, 32, 32, 3), np.float32))


def test_a_missing_file_names_the_notebook_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="classifier.tflite is missing.*04_train_the_classifier"):
        LiteClassifier(tmp_path / "classifier.tflite")


def test_nothing_but_the_file_is_left_behind(file):
    assert [path.name for path in file.parent.iterdir()] == ["classifier.tflite"]


def test_fewer_digits_make_a_smaller_file_that_says_nearly_the_same(classifier):
    pixels = np.random.default_rng(0).uniform(0, 255, (24, SIZE, SIZE, 3)).astype(np.float32)
    files = {precision: quantize.convert(classifier, precision, pixels) for precision in quantize.PRECISIONS}
    sizes = {precision: len(content) / len(files["float32"]) for precision, content in files.items()}
    assert 0.45 < sizes["float16"] < 0.55 and sizes["dynamic"] < 0.35 and sizes["int8"] < 0.35
    exact = classifier.predict(pixels, verbose=0)
    for precision, content in files.items():
        difference = np.abs(LiteNetwork(content)(pixels) - exact).mean()
        assert difference < {"float32": 1e-4, "float16": 0.03}.get(precision, 0.15), precision
    assert not np.allclose(LiteNetwork(files["int8"])(pixels), exact, atol=1e-5), "it was rounded"


def test_what_cannot_be_converted_is_said(classifier):
    with pytest.raises(ValueError, match="No precision is called 'int4'. Choose from: float32"):
        quantize.convert(classifier, "int4")
    for photos in (None, []):
        with pytest.raises(ValueError, match="needs photos to measure"):
            quantize.convert(classifier, "int8", photos)


def test_any_network_runs_as_litert(classifier):
    base = classifier.get_layer("mobilenetv2")
    network = export.as_litert(base)
    pixels = np.random.default_rng(1).uniform(-1, 1, (3, SIZE, SIZE, 3)).astype(np.float32)
    assert np.allclose(network(pixels), base(pixels, training=False), atol=1e-3)


def test_a_network_is_converted_again_only_when_it_has_changed(monkeypatch):
    conversions, convert = [], export.convert
    monkeypatch.setattr(export, "convert", lambda network: conversions.append(network) or convert(network))
    network = model.keras.Sequential([model.keras.Input((4,)), model.keras.layers.Dense(2)])
    pixels = np.ones((1, 4), np.float32)
    first = export.as_litert(network)(pixels)
    assert np.array_equal(export.as_litert(network)(pixels), first) and len(conversions) == 1
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel, bias + 1])
    assert np.allclose(export.as_litert(network)(pixels), first + 1) and len(conversions) == 2
