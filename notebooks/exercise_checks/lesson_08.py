"""Checks for the exercises of lesson 08: into the wild."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, percent, reject, same


@graded
def take(answer):
    """The number of masked and of bare photos to take from each place, such as `clinic = (300, 30)`."""
    available = {"clinic": (300, 30), "street": (20, 280)}
    if set(answer) != set(available):
        raise NotYet(f"the places are clinic and street, not {' and '.join(map(str, answer))}.")
    for place, counts in available.items():
        for taken, count, kind in zip(answer[place], counts, ("masked", "bare"), strict=True):
            if not 0 <= taken <= count:
                raise NotYet(f"there are only {count} {kind} photos from the {place}, so you can't take {taken:g}.")
    masked, bare = np.array([answer[place] for place in available]).T
    total = masked.sum() + bare.sum()
    if not total:
        raise NotYet("there are no photos left. Take as many as you can.")
    by_place, by_count = np.maximum(masked, bare).sum() / total, max(masked.sum(), bare.sum()) / total
    if by_place > by_count:
        raise NotYet(
            f"the place alone gives the right class for {percent(by_place)} of these photos. From each place, take as many "
            "masked photos as bare ones."
        )
    if by_count > 0.5:
        kind = "with mask" if masked.sum() > bare.sum() else "without mask"
        raise NotYet(
            f'the place gives nothing away, but if you always say "{kind}", you are right about {percent(by_count)} of the '
            "photos. From each place, take as many masked photos as bare ones."
        )
    if total < 100:
        raise NotYet(f"the place gives nothing away, but you have only {total:g} photos. You can take more.")
    return (
        "the place is right about half of these photos, like a coin toss. The price: only 100 of 630 photos are left."
    )


@graded
def leaked(function):
    """A function that returns the share of test photos that have a photo from the same group in training."""
    group = np.array(["ann", "bob", "eve", "ann", "cat", "ann", "dan", "eve", "ann", "bob", "cat", "ann", "eve"])
    is_test = np.array([True, True, False, False, False, True, True, True, False, True, False, True, False])
    found = float(call(function, group, is_test))
    mistakes = {
        "this is a share of all photos. What share of the 7 *test* photos is it?": 4 / 13,
        "this is the number of photos. Divide it by the number of test photos.": 4,
        "this is a share of the groups. A group can have several photos in the test set, so count photos.": 2 / 4,
        "this is the share of groups that are on both sides of the split. Count test photos.": 2 / 5,
        "this is the wrong way around: the share of *training* photos that have one in the test set.": 4 / 6,
        "another photo from the same group in the *test* set is not a leak. Look only in training.": 6 / 7,
        "this is the share of test photos whose group is *not* in training.": 3 / 7,
        "every photo finds itself in its group. Look for its group only among the training photos.": 1,
    }
    reject(found, mistakes)
    if not same(found, 4 / 7):
        raise NotYet(
            "of the 7 test photos, three of Ann and one of Eve have another one in training: 4 / 7 = 0.57, not "
            f"{found:.2f}."
        )
    found = float(call(function, np.array(["ann", "ann", "bob"]), np.array([True, True, False])))
    if not same(found, 0.0):
        raise NotYet(f"if no group is on both sides of the split, the leak is 0, not {found:.2f}.")
    return "4 of the 7 test photos leak. If each group stays on one side of the split, none do."


@graded
def worth(function):
    """A function that returns what each ingredient of an ablation is worth."""
    arms = {"one blue mask": [0.80, 0.84], "many masks": [0.95, 0.93], "grain": [0.92, 0.94], "color": [0.94, 0.96]}
    expected = {"many masks": 0.12, "grain": -0.01, "color": 0.02}
    found = call(function, {name: list(accuracies) for name, accuracies in arms.items()})
    if not isinstance(found, dict):
        raise NotYet(f"return a dictionary with a number for each ingredient, not {type(found).__name__}.")
    if "one blue mask" in found:
        raise NotYet(
            "the first arm has none above it, so the ablation doesn't say what it is worth by itself. Leave it out."
        )
    if set(found) != set(expected):
        raise NotYet(
            f"the ingredients should be {', '.join(expected)}, but you return {', '.join(map(str, found)) or 'none'}."
        )
    values = np.array([float(found[name]) for name in expected])
    right = np.array(list(expected.values()))
    mistakes = {
        "you compared each arm with the first one. That way, an ingredient gets the credit for all the ones above it.": [
            0.12,
            0.11,
            0.13,
        ],
        "these are the arms' own accuracies. How much higher is each one than that of the arm above it?": [
            0.94,
            0.93,
            0.95,
        ],
        "the sign is the wrong way around: what an ingredient adds counts as positive.": -right,
        "an ingredient can cost something: grain lowers the accuracy by 0.01. Keep the sign.": np.abs(right),
        "these are the differences between the best seeds. The best of several is partly luck, so use the mean.": [
            0.11,
            -0.01,
            0.02,
        ],
        "you used only the first seed. Use the mean of all seeds.": [0.15, -0.03, 0.02],
    }
    reject(values, mistakes)
    for name, value in expected.items():
        if not same(float(found[name]), value):
            raise NotYet(f"{name!r} changes the mean accuracy by {value:+.2f}, not by {found[name]:+.4g}.")
    more = call(function, {"a": [0.5], "b": [0.6], "c": [0.9]})
    if not same(float(more.get("c", 0)), 0.3):
        raise NotYet("right for four arms with two seeds each, but not for three arms with one seed each.")
    return "many masks add 12 points, color adds 2, and grain costs 1."


@graded
def by_size(function):
    """A function that returns the balanced accuracy of each band of face sizes."""
    size = np.array([24, 200, 60, 30, 36, 70, 48, 40, 44, 80, 90, 250, 47, 95, 50, 55])
    masked = np.array([1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
    called = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1], bool)
    edges = [24, 48, 96, 192, 384]
    found = list(call(function, masked, called, size, edges))
    if len(found) != 4:
        raise NotYet(f"five edges make four bands, but you return {len(found)} scores.")
    names = ["24–48", "48–96"]
    if any(value is None for value in found[:2]):
        raise NotYet(f"the band {names[found.index(None)]} has faces of both classes, but you return None.")
    first, second = float(found[0]), float(found[1])
    mistakes = {
        "these are plain accuracies, where the more frequent class counts for more. Use the mean of the two classes' shares.": [
            4 / 6,
            6 / 8,
        ],
        "a face of 48 pixels belongs to 48–96: a band includes its lower edge, not its upper one.": [1 / 2, 11 / 12],
        "these are the shares of masked faces that were found. The bare faces count just as much.": [3 / 4, 1 / 2],
        "these are the shares of bare faces that were found. The masked faces count just as much.": [1 / 2, 5 / 6],
    }
    reject([first, second], mistakes)
    for name, value, shares in zip(names, (first, second), ((3 / 4, 1 / 2), (1 / 2, 5 / 6)), strict=True):
        if not same(value, float(np.mean(shares))):
            raise NotYet(
                f"in {name}, {percent(shares[0])} of the masked and {percent(shares[1])} of the bare faces are labeled correctly, "
                f"so the mean is {np.mean(shares):.3f}, not {value:.3f}."
            )
    if found[2] is not None:
        raise NotYet(f"there are no faces in 96–192, so there is nothing to judge. Return None, not {found[2]}.")
    if found[3] is not None:
        raise NotYet(
            f"all faces in 192–384 are masked, so we know nothing about bare ones. Return None, not {found[3]}."
        )
    return "0.625 for the small faces, 0.667 for the larger ones, and None where a class is missing."


@graded
def temperature(answer):
    """The temperature that turns 0.9 into 0.75."""
    mistakes = {
        "you divided the probabilities. Take the log-odds of both, and divide those.": 0.9 / 0.75,
        "now it says 0.99, surer than ever. Divide the log-odds of 0.9 by those of 0.75, not the other way around.": 0.5,
        "this is the quotient of the odds, 9 / 3. Take their logarithms first.": 3,
        "this is the logarithm of the quotient. You need the quotient of the logarithms.": np.log(3),
        "a temperature of 1 changes nothing: the classifier still says 0.9, but is right about 75 of 100 faces.": 1,
    }
    reject(answer, mistakes)
    if not answer > 0:
        raise NotYet(f"a temperature has to be above 0. With {answer:g}, labels would change.")
    if not same(float(answer), 2.0):
        raise NotYet(
            f"with {answer:g}, it says {1 / (1 + 9 ** (-1 / answer)):.2f}, but is right about 75 of 100 faces."
        )
    return "now it says 0.75, and no label has changed."


@graded
def unsure(function):
    """A function that returns the share of unsure faces, and the share of wrong labels among the other faces."""
    of_masked = [0.99, 0.95, 0.90, 0.80, 0.60, 0.30, 0.05, 0.96]
    of_bare = [0.01, 0.02, 0.03, 0.04, 0.10, 0.08, 0.20, 0.45, 0.55, 0.70, 0.97, 0.06]
    masked, probability = np.arange(20) < 8, np.array(of_masked + of_bare)
    found = call_for_array(function, masked, probability, 0.1, 0.9, shape=(2,))
    out, wrong = 7 / 20, 2 / 13
    mistakes = {
        "the two are in the wrong order. The share of unsure faces comes first.": [wrong, out],
        "the first number should be the share of *unsure* faces. Yours is the share of all the others.": [
            1 - out,
            wrong,
        ],
        "at exactly 0.10 and 0.90, there is a label. Only what lies between is unsure.": [9 / 20, 2 / 11],
        "2 labels are wrong, but out of how many? Leave out the faces without a label.": [out, 2 / 20],
        "the second number should be the share of *wrong* labels. Yours is the share of right ones.": [out, 1 - wrong],
        "your second number counts all faces, as if there were no band. Count only the labels outside the band.": [
            out,
            5 / 20,
        ],
        "you counted unsure faces as wrong. They have no label, so they can't have a wrong one.": [out, 9 / 20],
        "these are numbers of faces. Return shares.": [7, 2],
    }
    reject(found, mistakes)
    if not same(found[0], out):
        raise NotYet(f"7 of the 20 faces lie between 0.1 and 0.9, so the share is 0.35, not {found[0]:.2f}.")
    if not same(found[1], wrong):
        raise NotYet(f"13 faces get a label, and 2 of the labels are wrong, so the share is 0.15, not {found[1]:.2f}.")
    found = call_for_array(function, masked, probability, 0.0, 1.0, shape=(2,))
    if not same(found, [1.0, 0.0]):
        raise NotYet(
            "with a band from 0 to 1, all faces are unsure and no label is wrong: 1 and 0, not "
            f"{found[0]:g} and {found[1]:g}. Don't divide by the number of labels if there are none."
        )
    return "35% of the faces are unsure, and 15% of the labels are wrong. Without a band, 25% would be wrong."
