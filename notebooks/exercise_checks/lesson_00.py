"""Checks for the exercises of lesson 00: check your setup."""

import hashlib

from .grading import NotYet, call, graded, reject, same


@graded
def printed(answer):
    """A list of four: the three numbers that cell C prints, and the name of the error after the restart."""
    if not isinstance(answer, list | tuple) or len(answer) != 4:
        raise NotYet("the answer is a list of four: three numbers, then the name of an error in quotes.")
    first, second, third, error = answer
    reject(first, {"the first time: B ran twice, and the second run started from what the first one had left.": 80})
    if first != 40:
        raise NotYet(f"the first time, C does not print {first}. Follow `size` through A, B, and B again.")
    if second in (40, 20, 80):
        raise NotYet(f"the second time, C does not print {second}: A ran again and set `size` back to what A says.")
    if second != 160:
        raise NotYet(f"the second time, C does not print {second}. Which cell ran last before C?")
    if "error" in str(third).lower():
        raise NotYet("the third time: A is gone from the page, but not from the kernel. It still knows `size`.")
    reject(
        third, {"the third time: B ran before C, and B changes `size`.": 160, "the third time: A had run again.": 20}
    )
    if third != 80:
        raise NotYet(f"the third time, C does not print {third}. What did A leave in `size`, and what does B do to it?")
    if isinstance(error, int | float):
        raise NotYet("a restart empties the kernel, and no cell on the page defines `size` anymore. B cannot run.")
    name = getattr(error, "__name__", str(error)).split(":")[0].strip()
    if name != "NameError":
        raise NotYet(f"the last run does not stop with {name}. Try it: restart a notebook and run only B.")
    return "you followed the order in which the cells ran, which is all that the kernel knows."


# The smallest transfer learning: a base that stays, a head that learns. `step_on` says what the step is multiplied by.
def _trained(head, base, examples, *, sign=1, feature_of=None, step_on=None, also_base=False):
    feature_of = feature_of or (lambda base, x: base * x)
    for x, wanted in examples:
        feature = feature_of(base, x)
        error = wanted - head * feature
        step = 0.1 * sign * error
        base += step * head * x if also_base else 0
        head += step * (feature if step_on is None else step_on(x))
    return head


@graded
def train_head(function):
    """A function that trains the weight `head` and leaves the weight `base` as it is."""
    start, base, examples = 0.5, 2.0, [(1.0, 3.0), (0.5, 1.5), (1.5, 4.5)]
    found = float(call(function, start, base, list(examples)))
    at_once = start + sum(0.1 * (wanted - start * base * x) * base * x for x, wanted in examples)
    right = _trained(start, base, examples)
    mistakes = {
        "the head has not changed. In each round, put the new value back into `head`.": start,
        "the head moves away from the answer. The error is what was wanted minus what the network answered.": _trained(
            start, base, examples, sign=-1
        ),
        "this trains a head without a base. The head does not see `x`; it sees the feature, `base * x`.": _trained(
            start, base, examples, feature_of=lambda base, x: x
        ),
        "the step is multiplied by `x`. What the head is multiplied by is the feature, so the step is, too.": _trained(
            start, base, examples, step_on=lambda x: x
        ),
        "the step should be 0.1 × error × feature. The feature is missing.": _trained(
            start, base, examples, step_on=lambda x: 1
        ),
        "the base has changed as well. It comes from somebody else's training and stays as it is.": _trained(
            start, base, examples, also_base=True
        ),
        "every error is computed with the head from the start. Use the head as the examples before have left it.": at_once,
        "only the first example counts. Is `return` inside the loop?": _trained(start, base, examples[:1]),
        "only the last example counts. Start from `head` once, not in every round.": _trained(
            start, base, examples[2:]
        ),
        "this is the product of head and base. Give back the head alone.": base * right,
    }
    reject(found, mistakes)
    if not same(found, right):
        raise NotYet(f"from the head {start:g}, three examples should lead to {right:.3f}, not to {found:.3f}.")
    other = float(call(function, 1.0, 0.5, list(examples)))
    if not same(other, _trained(1.0, 0.5, examples)):
        raise NotYet("right for one head and one base, but not for others. Use `head` and `base` as they are given.")
    return (
        f"the head went from {start:g} to {found:.2f}, close to the best, 1.5, and the base stayed as it was. "
        "Notebooks 03 and 04 do this with a base of 2,257,984 weights."
    )


DAMAGED = "The mask covers mouth and rose."
CHECKSUM = "7188e64b6d35796ae42a55be4f462cf27cf5d0f6a3e616bdf6f004f15fbabef9"


@graded
def sentence(answer):
    """The sentence as it was before a letter was damaged."""
    if len(answer) != len(DAMAGED):
        raise NotYet(f"it has {len(answer)} characters, but {len(DAMAGED)} arrived. None went missing.")
    changed = sum(letter != other for letter, other in zip(answer, DAMAGED, strict=True))
    if not changed:
        raise NotYet("this is what arrived, and its checksum does not fit. Which word makes no sense?")
    if changed > 1:
        raise NotYet(f"{changed} letters differ from what arrived, but only one was damaged.")
    found = hashlib.sha256(answer.encode()).hexdigest()
    if found != CHECKSUM:
        raise NotYet(f"its checksum begins with {found[:8]}, but should begin with {CHECKSUM[:8]}.")
    return f"all 64 letters and digits agree, from {found[:4]}… to …{found[-4:]}. Nobody gets there by luck."


@graded
def is_intact(function):
    """A function that compares SHA-256 checksums."""
    content = b"a face with a mask"
    right = hashlib.sha256(content).hexdigest()
    if not call(function, content, right):
        raise NotYet(
            "an undamaged file is called damaged. `hexdigest()` gives the 64 letters and digits; `digest()` gives bytes, "
            "which equal no text."
        )
    if call(function, b"a face with a task", right):
        raise NotYet("a file with another letter is called undamaged. Its size is the same; look at the content.")
    if call(function, content, right[:16] + 48 * "0"):
        raise NotYet("a checksum that agrees in its first 16 letters only is let through. Compare all 64.")
    return "a single letter is noticed, and so is a checksum that agrees in part."
