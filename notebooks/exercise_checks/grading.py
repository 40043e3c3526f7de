"""What the checks of the exercises share: they say RIGHT, or NOT YET and what is wrong, and never stop a notebook."""

import functools
import traceback

import numpy as np


class NotYet(Exception):
    """What is wrong with an answer, in a sentence or two for the one who gave it."""


def graded(check):
    """Turn a function that raises `NotYet` or returns a word of praise into one that prints either and returns nothing.

    Whatever it is given, it raises nothing. An answer None is one that has not been given yet.
    """

    wanted = check.__doc__[0].lower() + check.__doc__[1:]

    @functools.wraps(check)
    def printed(*answers) -> None:
        try:
            if any(answer is None for answer in answers):
                raise NotYet(f"put your answer in place of None: {wanted}")
            print(f"RIGHT: {check(*answers)}")
        except NotYet as problem:
            print(f"NOT YET: {problem}")
        except Exception as error:  # an answer may be anything at all, such as a word where a number was expected
            print(
                f"NOT YET: this is not the kind of answer that can be checked ({type(error).__name__}: {error}). "
                f"Wanted is {wanted}"
            )

    return printed


def run(function, *arguments):
    """What a learner's function gives back. Raises `NotYet` if it fails, with the line that did."""
    try:
        with np.errstate(all="ignore"):
            return function(*arguments)
    except NotYet:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:2]  # the first one is this function's own
        where = f" in line {frames[0].lineno} of its cell" if frames else ""
        name = getattr(function, "__name__", type(function).__name__)
        reason = str(error).strip().split("\n")[0]
        raise NotYet(f"`{name}` stops{where}: {type(error).__name__}: {reason}") from None


def call(function, *arguments):
    """What a learner's function gives back. Raises `NotYet` if it fails, gives nothing back, or alters what it is given."""
    copies = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
    answer = run(function, *copies)
    if answer is None:
        task = " ".join((function.__doc__ or "").split())
        raise NotYet(f"`{function.__name__}` gives nothing back yet. {task} End with `return …`.")
    for before, after in zip(arguments, copies, strict=True):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after):
            raise NotYet(
                f"`{function.__name__}` alters the array that it is given; whoever else uses that will wonder. "
                "Work on a copy: `.copy()`."
            )
    return answer


def call_for_array(function, *arguments, shape=None) -> np.ndarray:
    """What a learner's function gives back, as an array of the given shape (None: any). Raises `NotYet`."""
    answer = call(function, *arguments)
    try:
        found = np.asarray(answer)
    except ValueError:  # rows of unequal length
        raise NotYet(f"`{function.__name__}` should give back one array; its rows differ in length.") from None
    if shape is not None and found.shape != shape:
        raise NotYet(f"`{function.__name__}` gives an array of the shape {found.shape} where {shape} is wanted.")
    return found


def same(found, other) -> bool:
    """Whether two numbers or arrays have the same shape and, but for rounding, the same values."""
    return np.shape(found) == np.shape(other) and bool(np.allclose(found, other, rtol=1e-4, atol=1e-6))


def reject(found, mistakes: dict) -> None:
    """Raise `NotYet` if what was found is one of the typical mistakes; `mistakes` maps a problem to its wrong answer."""
    for problem, wrong in mistakes.items():
        if same(found, wrong):
            raise NotYet(problem)


def percent(share) -> str:
    """A share between 0 and 1 as text."""
    return f"{100 * float(share):.0f}%"
