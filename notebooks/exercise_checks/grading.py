"""What the exercises' checks share: they say RIGHT, or NOT YET and what's wrong, and never stop a notebook."""

import functools
import traceback

import numpy as np


class NotYet(Exception):
    """What's wrong with an answer, in a sentence or two for the learner who gave it."""


def graded(check):
    """Turn a function that raises `NotYet` or returns a word of praise into one that prints the result.

    The new function returns nothing and never raises, no matter what it is given. An answer of None means that the
    learner hasn't answered yet. The first line of the docstring completes the sentence "This check needs …".
    """

    wanted = check.__doc__[0].lower() + check.__doc__[1:]

    @functools.wraps(check)
    def printed(*answers) -> None:
        try:
            if any(answer is None for answer in answers):
                raise NotYet(f"replace None with your answer: {wanted}")
            print(f"RIGHT: {check(*answers)}")
        except NotYet as problem:
            print(f"NOT YET: {problem}")
        except Exception as error:  # an answer can be anything, such as a word instead of a number
            print(f"NOT YET: this check can't read your answer ({type(error).__name__}: {error}). It needs {wanted}")

    return printed


def run(function, *arguments):
    """Return what a learner's function returns. If it fails, raise `NotYet` with the line that failed."""
    try:
        with np.errstate(all="ignore"):
            return function(*arguments)
    except NotYet:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:2]  # the first frame is this function's own
        where = f" in line {frames[0].lineno} of its cell" if frames else ""
        name = getattr(function, "__name__", type(function).__name__)
        reason = str(error).strip().split("\n")[0]
        raise NotYet(f"`{name}` stops{where}: {type(error).__name__}: {reason}") from None


def call(function, *arguments):
    """Return what a learner's function returns. Raise `NotYet` if it fails, returns nothing, or alters its arguments."""
    copies = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
    answer = run(function, *copies)
    if answer is None:
        task = " ".join((function.__doc__ or "").split())
        raise NotYet(f"`{function.__name__}` doesn't return anything yet. {task} End with `return …`.")
    for before, after in zip(arguments, copies, strict=True):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after):
            raise NotYet(
                f"`{function.__name__}` alters the array that you pass to it, which spoils that array for the rest of "
                "the program. Work on a copy: `.copy()`."
            )
    return answer


def call_for_array(function, *arguments, shape=None) -> np.ndarray:
    """Return what a learner's function returns, as an array of the given shape (None: any), or raise `NotYet`."""
    answer = call(function, *arguments)
    try:
        found = np.asarray(answer)
    except ValueError:  # rows of unequal length
        raise NotYet(f"`{function.__name__}` should return one array, but its rows have different lengths.") from None
    if shape is not None and found.shape != shape:
        raise NotYet(f"`{function.__name__}` returns an array of shape {found.shape}, but {shape} is expected.")
    return found


def same(found, other) -> bool:
    """Tell whether two numbers or arrays have the same shape and, except for rounding, the same values."""
    return np.shape(found) == np.shape(other) and bool(np.allclose(found, other, rtol=1e-4, atol=1e-6))


def reject(found, mistakes: dict) -> None:
    """Raise `NotYet` if an answer is one of the typical mistakes; `mistakes` maps each problem to its wrong answer."""
    for problem, wrong in mistakes.items():
        if same(found, wrong):
            raise NotYet(problem)


def percent(share) -> str:
    """Return a share between 0 and 1 as a percentage."""
    return f"{100 * float(share):.0f}%"
