"""Checks for the exercises of lesson 10: two classes of your own."""

import numpy as np

from .grading import NotYet, call, graded, percent


@graded
def own_photos(folder):
    """The folder that holds your two class folders."""
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
            f"{few} holds {counts[few]} photos; take 30 at least. Of so few, each in the test part decides too much."
        )
    if counts[many] > 3 * counts[few]:
        raise NotYet(
            f"{counts[many]} photos of {many} and {counts[few]} of {few}: whoever always says {many} is nearly always "
            f"right. Take more photos of {few}, or fewer of {many}."
        )
    if groups < 10:
        raise NotYet(
            f"all photos hang together in {groups} groups, so one or two groups judge the classifier. Take photos of more "
            "people, animals or places."
        )
    named = (resolve(folder) / datasets.GROUPS_FILE).is_file()
    source = "groups.csv says which" if named else "near copies only; which photos hang together besides?"
    aside = f" Left out, unusable: {len(left_out)}." if len(left_out) else ""
    return f"{', '.join(f'{count} of {name}' for name, count in counts.sort_index().items())}; {groups} groups ({source}).{aside}"


@graded
def giveaway(function, folder):
    """The folder of exercise 1, and a function that gives a simple number of a photo."""
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier

    from maskdet_utils import datasets
    from maskdet_utils.paths import resolve
    from maskdet_utils.photos import read_photo

    manifest, _ = datasets.read_class_folders(resolve(folder))
    values = [float(call(function, read_photo(resolve(folder) / path))) for path in manifest["path"]]
    if np.ptp(values) == 0:
        raise NotYet(f"`{function.__name__}` gives {values[0]:g} for every photo: it looks at nothing.")
    folds = datasets.folds_by_group(manifest, seed=0)
    parts = [(np.flatnonzero(folds != number), np.flatnonzero(folds == number)) for number in range(5)]
    rule = DecisionTreeClassifier(max_depth=1, random_state=0)
    right = cross_val_score(rule, np.reshape(values, (-1, 1)), manifest["label"], cv=parts).mean()
    if right > 0.7:
        raise NotYet(
            f"this number alone is right for {percent(right)} of the photos. A network will find it, too, and need not "
            "look at what you mean. What else differs between your two folders? Take both classes in the same places."
        )
    return f"this number alone is right for {percent(right)} of the photos; a coin is right for 50%."
