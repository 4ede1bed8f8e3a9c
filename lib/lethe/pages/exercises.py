"""Check cells of exercises: they say whether an answer is right and, if not, what is wrong with it.

    exercises.check(1, answer_1, 0.111, within=0.002, hint="share both: q*q; in either: 2*q - q*q",
                    traps={"that is the share in both sets": 0.04})

In a student's notebook an answer is `...` until it is written; then the cell only says so and the
notebook runs on. A wrong answer stops there with its explanation and no traceback.
Cost: nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lethe.errors import LetheError

Value = Any  # a number, text, truth value, set, mapping or array of numbers
LEVELS = {1: "read off", 2: "compute", 3: "investigate"}
"""What an exercise asks for; every page has all three."""


SIGN = "The sign is the other way round. "
HUNDRED = "It is out by a factor of 100: share or per cent? "
ROUNDED = "It is close: give the number itself, not rounded. "
SLIPS = (SIGN, HUNDRED, ROUNDED)  # the way was right, so no hint on the way


class WrongAnswer(LetheError, AssertionError):
    """An answer that is not right; Jupyter shows its text alone."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def check(
    number: int,
    answer: Value,
    expected: Value,
    *,
    hint: str,
    within: float = 1e-9,
    traps: Mapping[str, Value] | None = None,
) -> None:
    """Compare an answer with the expected value, numbers to `within` (absolute).

    `traps` maps the explanation of a common mistake to the value that it gives. Raises WrongAnswer
    with that explanation, or with what differs (kind, shape, missing values) and the `hint`.
    """
    if _is_open(number, answer):
        return
    if _same(answer, expected, within):
        print(f"Exercise {number}: correct.")
        return
    for mistake, value in (traps or {}).items():
        if _same(answer, value, within):
            raise WrongAnswer(f"Exercise {number}: not yet. {_sentence(mistake)}")
    told = _difference(answer, expected, within)
    more = "" if told in SLIPS else f"Hint: {_closed(hint)}"
    raise WrongAnswer(f"Exercise {number}: not yet. {told}{more}".strip())


def check_that(
    number: int, answer: Value, holds: Callable[[Any], Any], *, hint: str, kind: type | None = None
) -> None:
    """Ask whether `holds(answer)`; for exercises that more than one answer solves.

    Raises WrongAnswer with the `hint`, also when `holds` cannot be asked of such an answer, and
    when the answer is not of `kind`.
    """
    if _is_open(number, answer):
        return
    if kind and not isinstance(answer, kind):
        told = f"It is of type {type(answer).__name__}, not {kind.__name__}. "
        raise WrongAnswer(f"Exercise {number}: not yet. {told}Hint: {_closed(hint)}")
    try:
        fine = bool(np.all(holds(answer)))
    except Exception as error:
        told = f"It cannot be checked ({type(error).__name__}: {error}). "
        raise WrongAnswer(f"Exercise {number}: not yet. {told}Hint: {_closed(hint)}") from None
    if not fine:
        raise WrongAnswer(f"Exercise {number}: not yet. Hint: {_closed(hint)}")
    print(f"Exercise {number}: correct.")


def _is_open(number: int, answer: Value) -> bool:
    """Whether nothing has been answered yet; says so."""
    if answer is not ...:
        return False
    print(f"Exercise {number}: not answered yet. Put your answer in place of the dots above.")
    return True


def _same(answer: Value, expected: Value, within: float) -> bool:
    if isinstance(expected, Mapping):
        alike = isinstance(answer, Mapping) and set(answer) == set(expected)
        return alike and all(_same(answer[key], expected[key], within) for key in expected)
    if isinstance(expected, (str, bool, np.bool_, set, frozenset)):
        return type(_plain(answer)) is type(_plain(expected)) and answer == expected
    given, wanted = _numbers(answer), _numbers(expected)
    if given is None or wanted is None or given.shape != wanted.shape:
        return False
    return bool(np.allclose(given, wanted, rtol=0, atol=within, equal_nan=True))


def _plain(value: Value) -> Value:
    value = value.item() if isinstance(value, np.generic) else value
    return set(value) if isinstance(value, frozenset) else value


def _numbers(value: Value) -> np.ndarray | None:
    """The value as an array of floats; None if it is none."""
    if value is None or isinstance(value, (str, bytes, bool, np.bool_, set, Mapping)):
        return None
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        return None


def _difference(answer: Value, expected: Value, within: float) -> str:
    """In words what an answer differs in before its values do; empty if it does not."""
    if isinstance(expected, Mapping) and isinstance(answer, Mapping):
        return _of_keys(answer, expected, within)
    wanted = _numbers(expected)
    if wanted is None:
        named = type(_plain(expected)).__name__
        fine = isinstance(_plain(answer), type(_plain(expected)))
        return "" if fine else f"It is of type {type(answer).__name__}, not {named}. "
    given = _numbers(answer)
    what = "a number" if wanted.ndim == 0 else f"an array of shape {wanted.shape}"
    if given is None:
        return f"It is of type {type(answer).__name__}, and {what} is asked for. "
    if given.shape != wanted.shape:
        got = f"Its shape is {given.shape}" if given.ndim else "It is one number"
        return f"{got}, and {what} is asked for. "
    if np.isnan(given).any() and not np.isnan(wanted).any():
        missing = f"{int(np.isnan(given).sum())} of its values are" if given.ndim else "It is"
        return f"{missing} missing (NaN). "
    return _of_values(given, wanted)


def _of_values(given: np.ndarray, wanted: np.ndarray) -> str:
    """The likeliest slips in numbers: a sign, per cent, some entries only."""
    if np.allclose(given, -wanted, rtol=0.02):
        return SIGN
    if np.allclose(given, 100 * wanted, rtol=0.02) or np.allclose(100 * given, wanted, rtol=0.02):
        return HUNDRED
    if np.allclose(given, wanted, rtol=0.005, atol=0):
        return ROUNDED
    right = np.isclose(given, wanted, rtol=1e-6)
    return f"{int(right.sum())} of {right.size} values are right. " if right.any() else ""


def _of_keys(answer: Mapping, expected: Mapping, within: float) -> str:
    lacking = [str(key) for key in expected if key not in answer]
    if lacking:
        return f"It lacks {', '.join(lacking)}. "
    wrong = [str(key) for key in expected if not _same(answer[key], expected[key], within)]
    return f"Look again at {', '.join(wrong)}. "


def _sentence(words: str) -> str:
    return words[:1].upper() + _closed(words[1:])


def _closed(words: str) -> str:
    return words if words.endswith((".", "?", "!")) else f"{words}."
