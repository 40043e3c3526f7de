"""Draw and save figures, with one text size and one palette that color-blind readers can tell apart."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito, "Color Universal Design" (2008). Each class also has its own line style and marker, for readers who
# cannot see the colors.
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
CLASS_STYLES = [
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": VERMILION, "linestyle": "--", "marker": "s"},
]
CREDIT = "Photos: The Database of Faces, AT&T Laboratories Cambridge"


def use_style() -> None:
    """Set the text size, grid, and colors of every figure in a notebook.

    Introduced in notebook 01.
    """
    plt.rcParams.update(
        {
            "font.size": 11,
            "figure.dpi": 80,
            "savefig.dpi": 80,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.prop_cycle": plt.cycler(color=[BLUE, VERMILION, GREEN, ORANGE]),
        }
    )


def show_photos(
    photos: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    columns: int = 6,
    width: float = 9.0,
    credit: str = CREDIT,
) -> plt.Figure:
    """Draw a contact sheet of photos.

    Args:
        photos: RGB `(height, width, 3)`, uint8 or float 0–255.
        titles: one title per photo, or None.
        columns: how many photos there are in each row.
        width: the width of the figure in inches.
        credit: who provided the photos, printed below them. Leave it empty for no credit.

    Returns:
        The figure.

    Introduced in notebook 00.
    """
    rows = -(-len(photos) // columns)
    cell = width / columns
    aspect = max(photo.shape[0] / photo.shape[1] for photo in photos)
    title_lines = max(title.count("\n") + 1 for title in titles) if titles is not None else 0
    height = rows * (cell * aspect + 0.08 + 0.2 * title_lines)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)
    for axis in axes.flat:
        axis.axis("off")
    for number, photo in enumerate(photos):
        axes.flat[number].imshow(np.clip(photo, 0, 255).astype(np.uint8))
        if titles is not None:
            axes.flat[number].set_title(titles[number], fontsize=10)
    if credit:
        figure.supxlabel(credit, fontsize=8, color=GREY)
    return figure


def show_training(history: dict) -> plt.Figure:
    """Plot loss and accuracy per epoch for the training set and the validation set.

    Args:
        history: the dict `history` of Keras's `History`: lists for `loss`, `accuracy`, `val_loss`, and `val_accuracy`.

    Returns:
        The figure.

    Introduced in notebook 04.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
    epochs = np.arange(1, len(history["loss"]) + 1)
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(epochs, history[name], label="training", markersize=4, **CLASS_STYLES[0])
        axis.plot(epochs, history[f"val_{name}"], label="validation", markersize=4, **CLASS_STYLES[1])
        axis.axvline(1 + np.argmin(history["val_loss"]), color=GREY, linestyle=":", label="lowest validation loss")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set(xlabel="epoch", ylabel=name)
        axis.legend()
    figure.tight_layout()
    return figure


def show_confusion(counts: np.ndarray, classes: Sequence[str]) -> plt.Figure:
    """Draw a confusion matrix with the counts written in its cells.

    Args:
        counts: int `(true class, predicted class)`, see `evaluation.confusion`.
        classes: the names of the classes, in the order of `counts`.

    Returns:
        The figure.

    Introduced in notebook 05.
    """
    figure, axis = plt.subplots(figsize=(4.6, 3.8))
    axis.imshow(counts, cmap="Blues", vmin=0)
    axis.grid(False)
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if count > counts.max() / 2 else "black"
        axis.text(column, row, str(count), ha="center", va="center", fontsize=15, color=ink)
    axis.set(xticks=range(len(classes)), yticks=range(len(classes)), xlabel="predicted", ylabel="true")
    axis.set_xticklabels(classes)
    axis.set_yticklabels(classes, rotation=90, va="center")
    figure.tight_layout()
    return figure


def save(figure: plt.Figure, run_dir: str | Path, name: str, alt: str) -> None:
    """Save a figure as `figures/<name>.png` in a run folder, then show it in the notebook and close it.

    Args:
        figure: the figure.
        run_dir: the run folder.
        name: the file's name without its extension.
        alt: the alt text. It goes into the file, for the run's page, and into the notebook's output, where screen
            readers find it.

    Introduced in notebook 00.
    """
    from .runs import FIGURES, open_run

    path = Path(open_run(run_dir)) / FIGURES / f"{name}.png"
    figure.savefig(path, bbox_inches="tight", metadata={"Description": alt})
    show(figure, alt)


def show(figure: plt.Figure, alt: str) -> None:
    """Show a figure in the notebook with alt text, then close it: JPEG if it holds photos, PNG otherwise."""
    import io

    from IPython.display import display

    kind, options = "png", {"optimize": True}
    if any(axes.images for axes in figure.axes):  # a PNG of photos would be three times as large
        kind, options = "jpeg", {"quality": 92, "subsampling": 0}
    rendered = io.BytesIO()
    figure.savefig(rendered, format=kind, bbox_inches="tight", pil_kwargs=options)
    plt.close(figure)
    data = {f"image/{kind}": rendered.getvalue(), "text/plain": f"[figure] {alt}"}
    display(data, raw=True, metadata={f"image/{kind}": {"alt": alt}})
