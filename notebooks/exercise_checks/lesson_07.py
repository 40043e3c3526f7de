"""Checks for the exercises of lesson 07: make it better."""

import numpy as np

from .grading import NotYet, call, call_for_array, graded, reject, same
from .own import own_classifier, own_scores


@graded
def doubt(insisting, half):
    """Two probabilities, between 0 and 1."""
    mistakes = {
        "that's the share of the *other* pictures. How many of the 100 have a target of 1?": 0.75,
        "that would mean being sure. Then the network is sure and wrong about 25 pictures, and their loss is enormous.": 0,
        "that would mean being sure. Then the network is sure and wrong about 75 pictures, and their loss is enormous.": 1,
        "that would be right if there were as many masks above the tip as below it. Here, there are 25 and 75.": 0.5,
    }
    for problem, wrong in mistakes.items():
        reject(float(insisting), {f"`insisting`: {problem}": wrong})
    if not same(float(insisting), 0.25):
        raise NotYet(
            f"`insisting`: a quarter of the pictures have a target of 1, the others 0. What is the mean of all 100 targets? "
            f"It's not {insisting:g}."
        )
    mistakes = {
        "that's the target of the 75 pictures. The other 25 still have a target of 1.": 0.5,
        "75 pictures now have a target of 0.5. None has a target of 0 anymore.": 0.25,
        "that's what the 75 pictures contribute. Add the 25 with a target of 1.": 0.375,
        "that's the mean of the two targets, but three times as many pictures have one as have the other.": 0.75,
    }
    for problem, wrong in mistakes.items():
        reject(float(half), {f"`half`: {problem}": wrong})
    if not same(float(half), 0.625):
        raise NotYet(
            f"`half`: 25 pictures have a target of 1, and 75 have 0.5. The mean of these targets isn't {half:g}."
        )
    return "the network ends up at the mean of the targets. At 0.25, it calls the correct masks bare. At 0.625, it doesn't."


@graded
def pace(function):
    """A function that returns the learning rate at each step."""
    rates = [float(call(function, step, 110, 10, 1.0)) for step in (0, 5, 10, 35, 60, 85, 110)]
    rise, fall = [0.0, 0.5], (1 + np.cos(np.pi * np.arange(5) / 4)) / 2
    mistakes = {
        "the cosine starts at step 0, so the rise during the first steps is missing.": (
            1 + np.cos(np.pi * np.array([0, 5, 10, 35, 60, 85, 110]) / 110)
        )
        / 2,
        "your rate ends below 0, because the cosine goes down to −1. Add 1 and divide by 2.": [*rise, *(2 * fall - 1)],
        "your rate falls in a straight line, so training stops abruptly instead of coming to rest.": [
            *rise,
            1,
            0.75,
            0.5,
            0.25,
            0,
        ],
        "this is a quarter of a wave, which is steepest at its end. Use half a wave: from 0 to π.": [
            *rise,
            *np.cos(np.pi * np.arange(5) / 8),
        ],
        "this is a whole wave, so the rate is back at the top at the end. Use half a wave: from 0 to π.": [
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
                f"with 110 steps, 10 of them warm-up, and a largest rate of 1.0, the rate at step {step} is "
                f"{expected:.3f}, not {found:.3f}."
            )
    if not same(float(call(function, 10, 110, 10, 3e-4)), 3e-4):
        raise NotYet("`largest` makes no difference. After the warm-up, the rate should be exactly `largest`.")
    return "a short way up, a long way down, and it comes to rest at 0."


@graded
def on_the_street(function):
    """A function that returns the probabilities for a street where masks are rare."""
    p, share = np.array([0.5, 0.9, 0.1, 0.99]), 0.05
    odds, street = p / (1 - p), share / (1 - share)
    found = call_for_array(function, p, share)
    mistakes = {
        "these are log-odds. Turn them back into probabilities: 1 / (1 + exp(−x)).": np.log(odds * street),
        "these are odds. Turn them back into probabilities: odds / (1 + odds).": odds * street,
        "you added the street's log-odds to the *probability*. Turn it into log-odds first.": p + np.log(street),
        "that's the wrong direction. On a street with few masks, the probability of a mask falls.": odds
        / (odds + street),
        "you added log(share). The log-odds are log(share / (1 − share)).": odds * share / (1 + odds * share),
        "this is just the product. The probability of no mask changes, too, and the two must add up to 1.": p * share,
        "this is just the share. What the classifier has seen counts, too.": np.full(4, share),
        "nothing has changed. What does `share` do?": p,
        "you used logarithms to base 10. `np.log` is the natural logarithm.": 1
        / (1 + np.exp(-np.log10(odds) - np.log10(street))),
    }
    reject(found, mistakes)
    right = odds * street / (1 + odds * street)
    if not same(found, right):
        raise NotYet(
            f"with one mask in 20, the probabilities {p.tolist()} should become {right.round(3).tolist()}, not "
            f"{found.round(3).tolist()}."
        )
    if not same(call_for_array(function, p, 0.5), p):
        raise NotYet("right for one mask in 20. But where half of the faces wear a mask, nothing should change.")
    found = call_for_array(function, np.array([0.0, 1.0]), 0.05)
    if not same(found, np.array([0.0, 1.0])):
        raise NotYet(
            f"right, except when the classifier is certain: 0 should stay 0 and 1 should stay 1, but you return {found}."
        )

    probabilities, _ = own_blends()
    right = probabilities / (probabilities + (1 - probabilities) / street)
    found = call_for_array(function, probabilities, share)
    if not same(found, right):
        raise NotYet(
            f"your classifier's {probabilities.round(3)} should become {right.round(3)}, not {found.round(3)}."
        )
    return "without evidence, one face in 20 wears a mask. Your classifier has to say 0.95 to make it fifty-fifty."


def own_blends():
    """Return what the learner's own classifier says about faces between bare and masked, and whose classifier it is.

    Returns:
        Eleven probabilities of a mask (for a bare face, for the same face with 10% of its masked copy blended in, and so
        on up to the masked copy), and a phrase that says whose classifier it is.
    """
    classifier, _, photos, whose = own_classifier()
    masked, bare = photos[0], photos[4]
    blends = np.stack([bare + part * (masked - bare) for part in np.linspace(0, 1, 11, dtype=np.float32)])
    return classifier(blends)[:, 0].astype(float), whose


@graded
def compare(function):
    """A function that says whether a score has gotten better."""

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
        both = f"a change from {in_words(before)} to {in_words(now)}"
        if found not in ("better", "worse", "nobody knows"):
            raise NotYet(f'the answer should be "better", "worse", or "nobody knows", not {found!r}.')
        if {found, right} == {"better", "worse"}:
            raise NotYet(f'{both} is "{right}". Did you swap `before` and `now`?')
        if right != found == "nobody knows":
            raise NotYet(f'{both} is "{right}", because the intervals don\'t overlap.')
        if right != found:
            raise NotYet(
                f'you call {both} "{found}", but the intervals overlap. With other test people, it might be the other way '
                "around. Compare the end of one interval with the start of the other."
            )
    perfect, other = score(1.0), score(0.70, 0.65, 0.75)
    for before, now in ((perfect, perfect), (other, perfect), (perfect, other)):
        try:
            found = call(function, before, now)
        except NotYet as problem:
            raise NotYet(
                f"a score without a single error has no interval, so its `low` and `high` are None. {problem}"
            ) from None
        if found != "nobody knows":
            raise NotYet(f'if either score has no interval, the answer is "nobody knows", not {found!r}.')

    scores = own_scores()
    before = scores.get("head_only", {})
    for name in before.keys() & {"accuracy", "balanced_accuracy", "roc_auc"}:
        found, right = call(function, before[name], scores[name]), compared(before[name], scores[name])
        if found != right:
            raise NotYet(
                f'in your run, {name} goes from {in_words(before[name])} to {in_words(scores[name])}. That is "{right}", not {found!r}.'
            )
    return "only intervals that don't overlap count. Run the next code cell: is your new classifier better?"


def in_words(score) -> str:
    """Return a score as text, with its interval if it has one."""
    has_interval = score["low"] is not None
    return f"{score['value']:.2f}" + (f" ({score['low']:.2f}–{score['high']:.2f})" if has_interval else "")


def compared(before, now) -> str:
    """Say whether a score has gotten better."""
    if before["low"] is None or now["low"] is None:
        return "nobody knows"
    return "better" if now["low"] > before["high"] else "worse" if now["high"] < before["low"] else "nobody knows"
