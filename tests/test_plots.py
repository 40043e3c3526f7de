"""Figures: saved once, shown with words for those who cannot see them."""

import io

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from maskdet_utils import plots


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would have displayed."""
    displayed = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: displayed.append((data, options)))
    return displayed


def test_a_saved_figure_carries_its_alt_text_in_file_and_notebook(tmp_path, shown):
    figure = plots.show_confusion(np.array([[5, 1], [2, 6]]), ["with_mask", "without_mask"])
    plots.save(figure, tmp_path, "05_confusion", "Five of six masks were found.")
    with Image.open(tmp_path / "figures" / "05_confusion.png") as image:
        assert image.info["Description"] == "Five of six masks were found."
    [(data, options)] = shown
    assert options["metadata"]["image/jpeg"]["alt"] == "Five of six masks were found."
    assert "Five of six masks were found." in data["text/plain"]
    assert Image.open(io.BytesIO(data["image/jpeg"])).width > 100
    assert not plt.get_fignums(), "closed, so that nothing is shown twice"


def test_a_confusion_matrix_says_its_counts():
    figure = plots.show_confusion(np.array([[5, 1], [2, 6]]), ["with_mask", "without_mask"])
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ["5", "1", "2", "6"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")
    plt.close(figure)


def test_a_contact_sheet_shows_every_photo_with_its_title_and_the_credit():
    photos = [np.full((20, 20, 3), number, np.uint8) for number in range(7)]
    figure = plots.show_photos(photos, [f"photo {number}" for number in range(7)], columns=4)
    assert len(figure.axes) == 8
    assert [axis.get_title() for axis in figure.axes[:7]] == [f"photo {number}" for number in range(7)]
    assert figure.axes[3].images[0].get_array().max() == 3
    assert plots.CREDIT in [text.get_text() for text in figure.texts]
    plt.close(figure)


def test_training_and_validation_differ_in_more_than_color():
    history = {"loss": [1, 0.5], "val_loss": [1, 0.7], "accuracy": [0.5, 0.8], "val_accuracy": [0.5, 0.7]}
    figure = plots.show_training(history)
    for axis, name in zip(figure.axes, ("loss", "accuracy"), strict=True):
        training, validation = axis.lines[:2]
        assert list(training.get_ydata()) == history[name] and list(validation.get_ydata()) == history[f"val_{name}"]
        assert (
            training.get_linestyle() != validation.get_linestyle() and training.get_marker() != validation.get_marker()
        )
    plt.close(figure)


def test_text_is_large_enough_to_read():
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["font.size"] >= 11


def test_photos_keep_all_their_colors_and_curves_stay_sharp(shown):
    ramp = np.uint8(np.dstack([*np.meshgrid(np.arange(256), np.arange(256)), np.full((256, 256), 128)]))
    plots.show(plots.show_photos([ramp], columns=1, credit=""), "All colors of one blue.")
    plots.show(plots.show_training({name: [0.5, 0.4] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}), "")
    (photo, _), (curves, _) = shown
    assert len(Image.open(io.BytesIO(photo["image/jpeg"])).getcolors(1 << 24)) > 10_000
    assert "image/png" in curves and "image/jpeg" not in curves


def test_the_training_curves_mark_the_epoch_that_early_stopping_keeps():
    history = {"loss": [0.9, 0.5, 0.4], "val_loss": [0.8, 0.3, 0.6], "accuracy": [0.5] * 3, "val_accuracy": [0.5] * 3}
    figure = plots.show_training(history)
    for axis in figure.axes:
        assert list(axis.lines[-1].get_xdata()) == [2, 2]
        assert all(tick == round(tick) for tick in axis.get_xticks())
    plt.close(figure)
