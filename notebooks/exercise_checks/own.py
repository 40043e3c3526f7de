"""The learner's own classifier, and photos to show it. If there isn't one yet, the released classifier stands in."""

import numpy as np

RUN = "runs/lab"  # where the notebooks leave their results


def own_classifier():
    """Load the learner's own classifier, and photos of people from the test set.

    Returns:
        The classifier, its labels.json, eight photos as pixels 0–255, float32 `(8, side, side, 3)`, and a phrase that
        says whose classifier it is. The first four photos show faces with masks, the last four the same faces without.
    """
    from maskdet_utils import paths, sample
    from maskdet_utils.classifier import CLASSIFIER, RELEASED, load_classifier
    from maskdet_utils.live.clips import TEST_PEOPLE
    from maskdet_utils.photos import fit_to_input, read_photo

    is_trained = (paths.resolve(RUN) / CLASSIFIER).is_file()
    classifier, labels = load_classifier(paths.resolve(RUN) if is_trained else RELEASED)
    files = [
        sample.build() / label / f"s{person:02d}_01.jpg"
        for label in ("with_mask", "without_mask")
        for person in TEST_PEOPLE[:4]
    ]
    photos = np.stack([fit_to_input(read_photo(file), classifier.input_size) for file in files]).astype(np.float32)
    return classifier, labels, photos, "the one you trained." if is_trained else "the released one."


def own_scores() -> dict:
    """Read the learner's own metrics.json. If there isn't one, the result is empty."""
    import json

    from maskdet_utils import paths

    path = paths.resolve(RUN) / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
