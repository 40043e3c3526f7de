"""Checks for the exercises of lesson 07: make it better."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, same
from .own import own_classifier, own_scores


@graded
def doubt(insisting, half):
    """Two probabilities, between 0 and 1."""
    mistakes = {
        "this is the share of the *other* pictures. How many of the 100 have the target 1?": 0.75,
        "that would be being sure. Then 25 of the pictures are sure and wrong, and cost nearly everything.": 0,
        "that would be being sure. Then 75 of the pictures are sure and wrong, and cost nearly everything.": 1,
        "that would be so with as many pictures above the tip as below it. Here there are 25 and 75.": 0.5,
    }
    for problem, wrong in mistakes.items():
        reject(float(insisting), {f"`insisting`: {problem}": wrong})
    if not same(float(insisting), 0.25):
        raise NotYet(
            f"`insisting`: a quarter of the pictures say 1 and the others say 0. Not {insisting:g}; which number is "
            "closest to all of them together?"
        )
    mistakes = {
        "this is the target of the 75 pictures. The other 25 still have the target 1.": 0.5,
        "75 pictures have the target 0.5 now. Nothing has the target 0 anymore.": 0.25,
        "these are the 75 pictures alone. Add the 25 with the target 1.": 0.375,
        "this is the mean of the two targets. But there are three times as many of one as of the other.": 0.75,
    }
    for problem, wrong in mistakes.items():
        reject(float(half), {f"`half`: {problem}": wrong})
    if not same(float(half), 0.625):
        raise NotYet(f"`half`: 25 pictures have the target 1 and 75 have 0.5. Their mean is not {half:g}.")
    return (
        "the network ends up at the mean of the targets. At 0.25, correct masks are called bare; at 0.625, they aren't."
    )


@graded
def pace(function):
    """A function that gives the learning rate of each step."""
    rates = [float(call(function, step, 110, 10, 1.0)) for step in (0, 5, 10, 35, 60, 85, 110)]
    rise, fall = [0.0, 0.5], (1 + np.cos(np.pi * np.arange(5) / 4)) / 2
    mistakes = {
        "the cosine begins at step 0: the rise during the first steps is missing.": (
            1 + np.cos(np.pi * np.array([0, 5, 10, 35, 60, 85, 110]) / 110)
        )
        / 2,
        "below 0 at the end: the cosine goes down to −1. Add 1 and divide by 2.": [*rise, *(2 * fall - 1)],
        "the way down is a straight line: at its end, training stops abruptly instead of coming to rest.": [
            *rise,
            1,
            0.75,
            0.5,
            0.25,
            0,
        ],
        "this is a quarter of a wave, which is steepest at its end. Take the half: from 0 to π.": [
            *rise,
            *np.cos(np.pi * np.arange(5) / 8),
        ],
        "this is a whole wave: at its end the rate is as large as ever. Take the half: from 0 to π.": [
            *rise,
            1,
            0.5,
            0,
            0.5,
            1,
        ],
    }
    reject(rates, mistakes)
    for step, found, expected in zip((0, 5, 10, 35, 60, 85, 110), rates, [*rise, *fall], strict=True):
        if not same(found, float(expected)):
            raise NotYet(
                f"with 110 steps, 10 of them warm-up, and 1.0 at the top, step {step} has the rate "
                f"{expected:.3f}, not {found:.3f}."
            )
    if not same(float(call(function, 10, 110, 10, 3e-4)), 3e-4):
        raise NotYet("`largest` makes no difference. After the warm-up the rate should be just that.")
    return "a short way up, a long way down, and it comes to rest at 0."


@graded
def on_the_street(function):
    """A function that gives probabilities for a street where masks are rare."""
    p, share = np.array([0.5, 0.9, 0.1, 0.99]), 0.05
    odds, street = p / (1 - p), share / (1 - share)
    found = call_for_array(function, p, share)
    mistakes = {
        "these are log-odds. Turn them back into probabilities: 1 / (1 + exp(−x)).": np.log(odds * street),
        "these are odds. Turn them back into probabilities: odds / (1 + odds).": odds * street,
        "you added the street's log-odds to the *probability*. Turn it into log-odds first.": p + np.log(street),
        "the wrong direction: on a street with few masks, the probability of a mask falls.": odds / (odds + street),
        "you added log(share). The log-odds are log(share / (1 − share)).": odds * share / (1 + odds * share),
        "this is the product. The probability of no mask changes as well: both must add up to 1.": p * share,
        "this is the share alone. What the classifier has seen counts as well.": np.full(4, share),
        "nothing has changed. Where does `share` come in?": p,
        "you used the logarithm to the base 10. `np.log` is the natural one.": 1
        / (1 + np.exp(-np.log10(odds) - np.log10(street))),
    }
    reject(found, mistakes)
    right = odds * street / (1 + odds * street)
    if not same(found, right):
        raise NotYet(
            f"with one mask in 20, the probabilities {p.tolist()} become {right.round(3).tolist()}, not "
            f"{found.round(3).tolist()}."
        )
    if not same(call_for_array(function, p, 0.5), p):
        raise NotYet("right for one mask in 20. But where every other face wears a mask, nothing should change.")
    found = call_for_array(function, np.array([0.0, 1.0]), 0.05)
    if not same(found, np.array([0.0, 1.0])):
        raise NotYet(f"right, until the classifier is certain: 0 should stay 0, and 1 should stay 1, not {found}.")

    probabilities, _ = own_blends()
    right = probabilities / (probabilities + (1 - probabilities) / street)
    found = call_for_array(function, probabilities, share)
    if not same(found, right):
        raise NotYet(
            f"your classifier's {probabilities.round(3)} should become {right.round(3)}, not {found.round(3)}."
        )
    return "without evidence, one face in 20 wears a mask; only 0.95 from your classifier makes it even."


def own_blends():
    """Return what the learner's own classifier says of faces between bare and masked, and whose classifier that is.

    Returns:
        Eleven probabilities of a mask: for a bare face, for the same face with 10% of its masked copy blended in, and so
        on up to the masked copy. And a sentence.
    """
    classifier, _, photos, whose = own_classifier()
    masked, bare = photos[0], photos[4]
    blends = np.stack([bare + part * (masked - bare) for part in np.linspace(0, 1, 11, dtype=np.float32)])
    return classifier(blends)[:, 0].astype(float), whose


@graded
def compare(function):
    """A function that says whether a score has become better."""

    def score(value, low=None, high=None):
        return {"value": value, "low": low, "high": high}

    cases = (
        (score(0.70, 0.65, 0.75), score(0.90, 0.85, 0.95), "better"),
        (score(0.90, 0.85, 0.95), score(0.70, 0.65, 0.75), "worse"),
        (score(0.90, 0.85, 0.95), score(0.92, 0.88, 0.96), "nobody knows"),
        (score(0.92, 0.88, 0.96), score(0.90, 0.85, 0.95), "nobody knows"),
        (score(0.80, 0.70, 0.90), score(0.93, 0.85, 0.97), "nobody knows"),
        (score(0.93, 0.85, 0.97), score(0.80, 0.70, 0.90), "nobody knows"),
    )
    for before, now, right in cases:
        found = call(function, before, now)
        both = "from {value:.2f} ({low:.2f}–{high:.2f})".format(**before)
        both += " to {value:.2f} ({low:.2f}–{high:.2f})".format(**now)
        if found not in ("better", "worse", "nobody knows"):
            raise NotYet(f'the answer is "better", "worse", or "nobody knows", not {found!r}.')
        if {found, right} == {"better", "worse"}:
            raise NotYet(f'{both} is "{right}". Have `before` and `now` changed places?')
        if right != found == "nobody knows":
            raise NotYet(f'{both} is "{right}": the intervals have nothing in common.')
        if right != found:
            raise NotYet(
                f"{both} is called {found}, but the intervals overlap: with other test people, it might be the other way "
                "around. Compare the end of one interval with the start of the other."
            )
    perfect, other = score(1.0), score(0.70, 0.65, 0.75)
    for before, now in ((perfect, perfect), (other, perfect), (perfect, other)):
        try:
            found = call(function, before, now)
        except NotYet as problem:
            raise NotYet(
                f"a score without a single error has no interval: its `low` and `high` are None. {problem}"
            ) from None
        if found != "nobody knows":
            raise NotYet(f'where a score has no interval, the answer is "nobody knows", not {found!r}.')

    scores = own_scores()
    before = scores.get("head_only", {})
    for name in before.keys() & {"accuracy", "balanced_accuracy", "roc_auc"}:
        found, right = call(function, before[name], scores[name]), compared(before[name], scores[name])
        if found != right:
            raise NotYet(f"{name} in your run goes from {before[name]} to {scores[name]}: {right}, not {found}.")
    return "only intervals that have nothing in common count. Run the next cell: is your new classifier better?"


def compared(before, now) -> str:
    """Say whether a score has become better."""
    if before["low"] is None or now["low"] is None:
        return "nobody knows"
    return "better" if now["low"] > before["high"] else "worse" if now["high"] < before["low"] else "nobody knows"
