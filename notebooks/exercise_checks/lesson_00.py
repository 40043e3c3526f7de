"""Checks for the exercises of lesson 00: check your setup."""

import hashlib

from .grading import NotYet, call, graded, reject, same


@graded
def printed(answer):
    """A list of four items: the three numbers that C prints and the name of the error after the restart."""
    if not isinstance(answer, list | tuple) or len(answer) != 4:
        raise NotYet("the answer should be a list of four items: three numbers and the name of an error in quotes.")
    first, second, third, error = answer
    reject(
        first,
        {
            "the first number isn't 80: B ran twice, and the second time it started from what the first time had left.": 80
        },
    )
    if first != 40:
        raise NotYet(f"the first number isn't {first}. Follow `size` through A, B, and B again.")
    if second in (40, 20, 80):
        raise NotYet(f"the second number isn't {second}: A ran again and set `size` back to where it started.")
    if second != 160:
        raise NotYet(f"the second number isn't {second}. Which cell ran last before C?")
    if "error" in str(third).lower():
        raise NotYet(
            "the third time, there is no error yet. A is gone from the page but not from the kernel, which still "
            "knows `size`."
        )
    reject(
        third,
        {
            "the third number isn't 160: B ran before C, and B changes `size`.": 160,
            "the third number isn't 20: A had run again by then.": 20,
        },
    )
    if third != 80:
        raise NotYet(f"the third number isn't {third}. What did A leave in `size`, and what does B do to it?")
    if isinstance(error, int | float):
        raise NotYet(
            "a restart empties the kernel, and no cell on the page defines `size` anymore, so B can't run. What is the "
            "error called?"
        )
    name = getattr(error, "__name__", str(error)).split(":")[0].strip()
    if name != "NameError":
        raise NotYet(f"the error isn't called {name}. Try it: restart a notebook and run only B.")
    return "you followed the order in which the cells ran, and that's all the kernel knows."


# Transfer learning at its smallest: the base stays, and the head learns. `step_on` is what the step is multiplied by.
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
    """A function that trains the weight `head` and leaves the weight `base` alone."""
    start, base, examples = 0.5, 2.0, [(1.0, 3.0), (0.5, 1.5), (1.5, 4.5)]
    found = float(call(function, start, base, list(examples)))
    at_once = start + sum(0.1 * (wanted - start * base * x) * base * x for x, wanted in examples)
    right = _trained(start, base, examples)
    mistakes = {
        "the head hasn't changed. Each time through the loop, put the new value back into `head`.": start,
        "the head moves away from its best value. The error is the wanted answer minus the network's answer.": _trained(
            start, base, examples, sign=-1
        ),
        "this trains a head without a base. The head doesn't see `x`; it sees the feature, `base * x`.": _trained(
            start, base, examples, feature_of=lambda base, x: x
        ),
        "you multiplied the step by `x`. Multiply it by what the head gets to see: the feature, `base * x`.": _trained(
            start, base, examples, step_on=lambda x: x
        ),
        "the step should be 0.1 × error × feature. You left out the feature.": _trained(
            start, base, examples, step_on=lambda x: 1
        ),
        "the base has changed, too. Someone else trained it, and it should stay as it is.": _trained(
            start, base, examples, also_base=True
        ),
        "you computed every error with the initial head. Use the head as the previous example left it.": at_once,
        "you used only the first example. Is `return` inside the loop?": _trained(start, base, examples[:1]),
        "only the last example made a difference. Start from `head` once, not each time through the loop.": _trained(
            start, base, examples[2:]
        ),
        "this is the head times the base. Return only the head.": base * right,
    }
    reject(found, mistakes)
    if not same(found, right):
        raise NotYet(f"three examples should take the head from {start:g} to {right:.3f}, not to {found:.3f}.")
    other = float(call(function, 1.0, 0.5, list(examples)))
    if not same(other, _trained(1.0, 0.5, examples)):
        raise NotYet(
            "right for one head and one base, but not for others. Use the `head` and `base` that your function gets."
        )
    return (
        f"the head went from {start:g} to {found:.2f}, close to its best value of 1.5, and the base stayed as it was. "
        "Notebooks 03 and 04 do this with a base of 2,257,984 weights."
    )


DAMAGED = "Cover your mouth and rose."
CHECKSUM = "c0a127921b632ae0229af3ea4aefd85537df8e8412f9b999fc7e36ad6d577819"


@graded
def sentence(answer):
    """The sentence as it was before one letter was damaged."""
    if len(answer) != len(DAMAGED):
        raise NotYet(
            f"your sentence has {len(answer)} characters, but {len(DAMAGED)} arrived. None were lost or added along the way."
        )
    changed = sum(letter != other for letter, other in zip(answer, DAMAGED, strict=True))
    if not changed:
        raise NotYet("this is the sentence as it arrived, and its checksum doesn't match. Which word makes no sense?")
    if changed > 1:
        raise NotYet(f"{changed} letters differ from the sentence that arrived, but only one was damaged.")
    found = hashlib.sha256(answer.encode()).hexdigest()
    if found != CHECKSUM:
        raise NotYet(f"its checksum begins with {found[:8]}, but it should begin with {CHECKSUM[:8]}.")
    return f"all 64 letters and digits match, from {found[:4]}… to …{found[-4:]}. That can't be luck."


@graded
def is_intact(function):
    """A function that compares SHA-256 checksums."""
    content = b"a face with a mask"
    right = hashlib.sha256(content).hexdigest()
    if not call(function, content, right):
        raise NotYet(
            "your function rejects an undamaged file. Use `hexdigest()`, which gives the 64 letters and digits. "
            "`digest()` gives bytes, and bytes never equal a string."
        )
    if call(function, b"a face with a task", right):
        raise NotYet(
            "your function accepts a file with one changed letter. The size is the same, so compare the content."
        )
    if call(function, content, right[:16] + 48 * "0"):
        raise NotYet("your function accepts a checksum that matches only in the first 16 characters. Compare all 64.")
    return "your function notices a single changed letter, and it isn't fooled by a checksum that matches only in part."
