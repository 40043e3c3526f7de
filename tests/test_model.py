"""The frozen base, the new head, and the two joined."""

import numpy as np
import pytest

from maskdet_utils import assets, model
from maskdet_utils.checks import same_arrays
from maskdet_utils.model import keras

SIZE = 32  # the smallest that MobileNetV2 takes


@pytest.fixture
def classifier():
    model.set_seed(0)
    return model.build_classifier(model.build_base(SIZE), model.build_head())


@pytest.fixture
def pixels():
    return np.random.default_rng(0).uniform(0, 255, (8, SIZE, SIZE, 3)).astype(np.float32)


def test_base_holds_the_verified_weights_and_is_frozen(classifier):
    arrays = classifier.get_layer("mobilenetv2").get_weights()
    stored = [array for _, _, array in assets._weight_arrays(assets.fetch("mobilenet_v2"))]
    assert len(arrays) == 260 and same_arrays(arrays, stored)
    assert classifier.get_layer("mobilenetv2").trainable_weights == []
    assert classifier.get_layer("mobilenetv2").output_shape == (None, 1, 1, model.FEATURES)


def test_head_is_the_recipes(classifier):
    pool, dense, dropout, probabilities = model.build_head().layers
    assert isinstance(pool, keras.layers.GlobalAveragePooling2D)
    assert (dense.units, dense.activation.__name__) == (128, "relu")
    assert dropout.rate == 0.5
    assert (probabilities.units, probabilities.activation.__name__) == (2, "softmax")
    assert classifier.get_layer("head").count_params() == 1280 * 128 + 128 + 128 * 2 + 2


def test_a_training_step_moves_the_head_and_leaves_the_base_bit_for_bit(classifier, pixels):
    base, head = classifier.get_layer("mobilenetv2"), classifier.get_layer("head")
    base_before, head_before = base.get_weights(), head.get_weights()
    classifier.compile(optimizer=keras.optimizers.Adam(), loss="categorical_crossentropy")
    classifier.train_on_batch(pixels, np.eye(2)[[0, 1] * 4])
    assert same_arrays(base_before, base.get_weights())
    assert not any(np.array_equal(a, b) for a, b in zip(head_before, head.get_weights(), strict=True))


def test_scaling_is_mobilenets_own(classifier, pixels):
    ours = np.asarray(classifier.get_layer("scale")(pixels))
    assert np.allclose(ours, keras.applications.mobilenet_v2.preprocess_input(pixels.copy()), atol=1e-6)


def test_classifier_gives_probabilities_for_pixels_of_any_batch(classifier, pixels):
    assert classifier.input_shape == (None, SIZE, SIZE, 3)
    probabilities = classifier.predict(pixels, verbose=0)
    assert probabilities.shape == (8, 2) and np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(classifier.predict(pixels[:1], verbose=0), probabilities[:1], atol=1e-5)


def test_saved_and_reloaded_it_predicts_the_same_and_holds_no_augmentation(classifier, pixels, tmp_path):
    classifier.save(tmp_path / "classifier.keras")
    reloaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert np.array_equal(classifier.predict(pixels, verbose=0), reloaded.predict(pixels, verbose=0))
    assert [layer.name for layer in reloaded.layers] == ["pixels", "scale", "mobilenetv2", "head"]
    assert not any("Random" in type(layer).__name__ for layer in reloaded._flatten_layers())


def test_the_same_seed_makes_the_same_head():
    def weights(seed):
        model.set_seed(seed)
        head = model.build_head()
        head.build((None, 1, 1, model.FEATURES))
        return head.get_weights()

    assert same_arrays(weights(1), weights(1))
    assert not same_arrays(weights(1), weights(2))
