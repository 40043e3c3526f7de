"""Checks for the exercises of lesson 10: two classes of your own."""

import numpy as np

from .grading import NotYet, call, graded, percent


@graded
def own_photos(folder):
    """The folder that contains your two class folders."""
    from maskdet_utils import datasets
    from maskdet_utils.paths import resolve

    try:
        manifest, left_out = datasets.read_class_folders(resolve(folder))
        datasets.split_by_group(manifest, seed=0)
    except datasets.DataError as error:
        raise NotYet(str(error)) from None
    counts, groups = manifest["label"].value_counts(), manifest["group"].nunique()
    few, many = counts.idxmin(), counts.idxmax()
    if counts[few] < 30:
        raise NotYet(
            f"{few} has {counts[few]} photos. Take at least 30: with so few, each photo in the test set counts for too much."
        )
    if counts[many] > 3 * counts[few]:
        raise NotYet(
            f"you have {counts[many]} photos of {many} and {counts[few]} of {few}, so always saying {many} would be right "
            f"most of the time. Take more photos of {few}, or fewer of {many}."
        )
    if groups < 10:
        raise NotYet(
            f"your photos form only {groups} groups, so the test set has just one or two of them. Take photos of more "
            "people, animals, or places."
        )
    named = (resolve(folder) / datasets.GROUPS_FILE).is_file()
    source = "from groups.csv" if named else "only near copies are grouped; which other photos belong together?"
    aside = f" Left out because they can't be used: {len(left_out)}." if len(left_out) else ""
    (name, count), (other, other_count) = counts.sort_index().items()
    return f"{count} photos of {name} and {other_count} of {other}, in {groups} groups ({source}).{aside}"


@graded
def giveaway(function, folder):
    """A function that returns a simple number for a photo, and the folder from section 1."""
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier

    from maskdet_utils import datasets
    from maskdet_utils.paths import resolve
    from maskdet_utils.photos import read_photo

    manifest, _ = datasets.read_class_folders(resolve(folder))
    values = [float(call(function, read_photo(resolve(folder) / path))) for path in manifest["path"]]
    if np.ptp(values) == 0:
        raise NotYet(f"`{function.__name__}` returns {values[0]:g} for every photo, so it isn't measuring anything.")
    folds = datasets.folds_by_group(manifest, seed=0)
    parts = [(np.flatnonzero(folds != number), np.flatnonzero(folds == number)) for number in range(5)]
    rule = DecisionTreeClassifier(max_depth=1, random_state=0)
    right = cross_val_score(rule, np.reshape(values, (-1, 1)), manifest["label"], cv=parts).mean()
    if right > 0.7:
        raise NotYet(
            f"this number alone is right on {percent(right)} of the photos. A network will find it, too, and then it "
            "doesn't have to look at what you meant. What else differs between your two folders? Photograph both classes "
            "in the same places."
        )
    return f"this number alone is right on {percent(right)} of the photos. A coin toss is right on 50%."
