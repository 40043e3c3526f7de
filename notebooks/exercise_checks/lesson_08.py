"""Checks for the exercises of lesson 08: into the wild."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, percent, reject, same


@graded
def take(answer):
    """How many masked and how many bare photos to take from each place, as `{"clinic": (…, …), "street": (…, …)}`."""
    available = {"clinic": (300, 30), "street": (20, 280)}
    if set(answer) != set(available):
        raise NotYet(f"the places are clinic and street, not {' and '.join(map(str, answer))}.")
    for place, counts in available.items():
        for taken, count, kind in zip(answer[place], counts, ("masked", "bare"), strict=True):
            if not 0 <= taken <= count:
                raise NotYet(f"of {kind} photos from the {place} there are {count}. You cannot take {taken:g}.")
    masked, bare = np.array([answer[place] for place in available]).T
    total = masked.sum() + bare.sum()
    if not total:
        raise NotYet("no photo is left. Take as many as you can.")
    by_place, by_count = np.maximum(masked, bare).sum() / total, max(masked.sum(), bare.sum()) / total
    if by_place > by_count:
        raise NotYet(
            f"whoever knows nothing but the place is right for {percent(by_place)} of these photos. In each place, take as many "
            "masked as bare ones."
        )
    if by_count > 0.5:
        kind = "with mask" if masked.sum() > bare.sum() else "without mask"
        raise NotYet(
            f"the place gives nothing away, but whoever always says {kind} is right for {percent(by_count)}. In each place, take "
            "as many masked as bare ones."
        )
    if total < 100:
        raise NotYet(f"the place gives nothing away, but these are {total:g} photos only, and more can be had.")
    return "the place is right for half of these photos, like a coin. The price: 100 photos are left of 630."


@graded
def leaked(function):
    """A function that gives the share of test photos that have a photo of the same group in training."""
    group = np.array(["ann", "bob", "eve", "ann", "cat", "ann", "dan", "eve", "ann", "bob", "cat", "ann", "eve"])
    is_test = np.array([True, True, False, False, False, True, True, True, False, True, False, True, False])
    found = float(call(function, group, is_test))
    mistakes = {
        "this is a share of all photos. How many of the 7 *test* photos are it?": 4 / 13,
        "this is a number of photos. Divide it by the number of test photos.": 4,
        "this is a share of the groups. A group may have several photos in the test part; count photos.": 2 / 4,
        "this is the share of groups that are on both sides. Count test photos.": 2 / 5,
        "this looks from the other side: the share of *training* photos that have one in the test part.": 4 / 6,
        "another photo of the group in the *test* part is no leak. Look for it in training only.": 6 / 7,
        "this is the share of test photos whose group is *not* in training.": 3 / 7,
        "every photo has itself in its group. Look for its group among the training photos only.": 1,
    }
    reject(found, mistakes)
    if not same(found, 4 / 7):
        raise NotYet(
            "of 7 test photos, three of Ann and one of Eve have another one in training: 4 / 7 = 0.57, not "
            f"{found:.2f}."
        )
    found = float(call(function, np.array(["ann", "ann", "bob"]), np.array([True, True, False])))
    if not same(found, 0.0):
        raise NotYet(f"where no group is on two sides, the leak is 0, not {found:.2f}.")
    return "4 of 7 test photos are no strangers; with whole groups on one side, none."


@graded
def worth(function):
    """A function that gives what each ingredient of an ablation is worth."""
    arms = {"one blue mask": [0.80, 0.84], "many masks": [0.95, 0.93], "grain": [0.92, 0.94], "color": [0.94, 0.96]}
    expected = {"many masks": 0.12, "grain": -0.01, "color": 0.02}
    found = call(function, {name: list(accuracies) for name, accuracies in arms.items()})
    if not isinstance(found, dict):
        raise NotYet(f"a dictionary is wanted, a number for each ingredient, not {type(found).__name__}.")
    if "one blue mask" in found:
        raise NotYet(
            "the first arm has none above it. What it is worth by itself, the table does not say: leave it out."
        )
    if set(found) != set(expected):
        raise NotYet(f"an ingredient each is wanted, {', '.join(expected)}; you give {', '.join(map(str, found))}.")
    values = np.array([float(found[name]) for name in expected])
    right = np.array(list(expected.values()))
    mistakes = {
        "each arm is compared with the first one. Then an ingredient takes the credit of all above it.": [
            0.12,
            0.11,
            0.13,
        ],
        "these are the arms' own accuracies. How much is each above the arm before it?": [0.94, 0.93, 0.95],
        "the sign is the wrong way round: what an ingredient adds counts as positive.": -right,
        "an ingredient may cost something: grain makes it worse by 0.01. Keep the sign.": np.abs(right),
        "these are the differences of the best seeds. The best of several is luck; take the mean.": [0.11, -0.01, 0.02],
        "this looks at the first seed alone. Take the mean of all.": [0.15, -0.03, 0.02],
    }
    reject(values, mistakes)
    for name, value in expected.items():
        if not same(float(found[name]), value):
            raise NotYet(f"{name!r} changes the mean by {value:+.2f}, not by {found[name]:+.4g}.")
    more = call(function, {"a": [0.5], "b": [0.6], "c": [0.9]})
    if not same(float(more.get("c", 0)), 0.3):
        raise NotYet("right for four arms of two seeds, but not for three arms of one seed.")
    return "many masks bring 12 points, color 2, and grain costs 1."


@graded
def by_size(function):
    """A function that gives the balanced accuracy of each band of face sizes."""
    size = np.array([24, 200, 60, 30, 36, 70, 48, 40, 44, 80, 90, 250, 47, 95, 50, 55])
    masked = np.array([1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
    called = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1], bool)
    edges = [24, 48, 96, 192, 384]
    found = list(call(function, masked, called, size, edges))
    if len(found) != 4:
        raise NotYet(f"five edges make four bands; you give {len(found)} figures.")
    names = ["24–48", "48–96"]
    if any(value is None for value in found[:2]):
        raise NotYet(f"the band {names[found.index(None)]} holds faces of both classes, but you give None.")
    first, second = float(found[0]), float(found[1])
    mistakes = {
        "these are plain accuracies, where the more frequent class decides. Take the mean of both classes' shares.": [
            4 / 6,
            6 / 8,
        ],
        "a face of 48 pixels belongs to 48–96: a band holds its lower end, not its upper one.": [1 / 2, 11 / 12],
        "these are the shares of masks found. The bare faces count as much.": [3 / 4, 1 / 2],
        "these are the shares of bare faces found. The masks count as much.": [1 / 2, 5 / 6],
    }
    reject([first, second], mistakes)
    for name, value, shares in zip(names, (first, second), ((3 / 4, 1 / 2), (1 / 2, 5 / 6)), strict=True):
        if not same(value, float(np.mean(shares))):
            raise NotYet(
                f"in {name}, {percent(shares[0])} of the masks and {percent(shares[1])} of the bare faces are right: the "
                f"mean is {np.mean(shares):.3f}, not {value:.3f}."
            )
    if found[2] is not None:
        raise NotYet(f"no face is in 96–192. Of nothing, nothing is known: give None, not {found[2]}.")
    if found[3] is not None:
        raise NotYet(f"all faces in 192–384 are masked, so of bare ones nothing is known. Give None, not {found[3]}.")
    return "0.625 for the small faces, 0.667 for larger ones, and None where there is nothing to judge by."


@graded
def temperature(answer):
    """The temperature with which 0.9 becomes 0.75."""
    mistakes = {
        "you divide the probabilities. Take the log-odds of both, and divide these.": 0.9 / 0.75,
        "with this it says 0.99, surer than ever. Divide the log-odds of 0.9 by those of 0.75, not the other way round.": 0.5,
        "this is the quotient of the odds, 9 and 3. Take their logarithms first.": 3,
        "this is the logarithm of the quotient. Wanted is the quotient of the logarithms.": np.log(3),
        "a temperature of 1 changes nothing: it says 0.9, and is right for 75 of 100.": 1,
    }
    reject(answer, mistakes)
    if not answer > 0:
        raise NotYet(f"a temperature is above 0; with {answer:g}, labels would change.")
    if not same(float(answer), 2.0):
        raise NotYet(f"with {answer:g}, it says {1 / (1 + 9 ** (-1 / answer)):.2f}, and is right for 75 of 100.")
    return "it says 0.75 now, and no label has changed."


@graded
def unsure(function):
    """A function that gives the share of unsure faces and the share of wrong labels among the others."""
    of_masked = [0.99, 0.95, 0.90, 0.80, 0.60, 0.30, 0.05, 0.96]
    of_bare = [0.01, 0.02, 0.03, 0.04, 0.10, 0.08, 0.20, 0.45, 0.55, 0.70, 0.97, 0.06]
    masked, probability = np.arange(20) < 8, np.array(of_masked + of_bare)
    found = call_for_array(function, masked, probability, 0.1, 0.9, shape=(2,))
    out, wrong = 7 / 20, 2 / 13
    mistakes = {
        "the two have changed places. The share of unsure faces comes first.": [wrong, out],
        "first comes the share of faces that are *unsure*; you give that of the others.": [1 - out, wrong],
        "at 0.10 and at 0.90 there is a label. Only what lies between is unsure.": [9 / 20, 2 / 11],
        "2 labels are wrong, but of how many? Faces without a label are not among them.": [out, 2 / 20],
        "second comes the share of *wrong* labels; you give that of the right ones.": [out, 1 - wrong],
        "the second counts all faces, as if there were no band. Only labels outside the band count.": [out, 5 / 20],
        "an unsure face counts as wrong. It has no label, so it has no wrong one.": [out, 9 / 20],
        "these are numbers of faces. Shares are wanted.": [7, 2],
    }
    reject(found, mistakes)
    if not same(found[0], out):
        raise NotYet(f"7 of 20 faces lie between 0.1 and 0.9: 0.35 are unsure, not {found[0]:.2f}.")
    if not same(found[1], wrong):
        raise NotYet(f"13 faces get a label, and 2 of these are wrong: 0.15, not {found[1]:.2f}.")
    found = call_for_array(function, masked, probability, 0.0, 1.0, shape=(2,))
    if not same(found, [1.0, 0.0]):
        raise NotYet(
            f"with a band from 0 to 1, all are unsure, and no label is wrong: 1 and 0, not {found[0]:g} and {found[1]:g}. "
            "Do not divide by the number of labels where there is none."
        )
    return "35% are left unsure. Of the others 15% are wrong; without a band it would be 25% of all."
