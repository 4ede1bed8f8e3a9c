"""What the numbers of the mixture may be, with errors that say so. Cost: none."""

from __future__ import annotations

import numpy as np

from lethe.errors import LetheError, nearest

FARTHEST = 25.0  # standard deviations; overlaps are below 1e-33 there


def inner(name: str, value: object) -> np.ndarray:
    """The value as floats strictly between 0 and 1, [...]; LetheError otherwise."""
    found = _numbers(name, value)
    return _require(name, found, (found > 0) & (found < 1), "lies between 0 and 1, ends excluded")


def share(name: str, value: object) -> np.ndarray:
    """The value as floats from 0 to 1, [...]; LetheError otherwise."""
    found = _numbers(name, value)
    return _require(name, found, (found >= 0) & (found <= 1), "lies between 0 and 1")


def at_least_zero(name: str, value: object) -> np.ndarray:
    """The value as finite floats of 0 or more, [...]; LetheError otherwise."""
    found = _numbers(name, value)
    return _require(name, found, (found >= 0) & np.isfinite(found), "is a finite number, 0 or more")


def positive(name: str, value: object) -> np.ndarray:
    """The value as finite floats above 0, [...]; LetheError otherwise."""
    found = _numbers(name, value)
    return _require(name, found, (found > 0) & np.isfinite(found), "is a finite number above 0")


def finite(name: str, value: object) -> np.ndarray:
    """The value as finite floats, [...]; LetheError otherwise."""
    found = _numbers(name, value)
    return _require(name, found, np.isfinite(found), "is a finite number")


def separation(value: object) -> np.ndarray:
    """The distance of the modes in standard deviations, 0 to 25, [...]; LetheError otherwise."""
    found = _numbers("separation", value)
    return _require(
        "separation", found, (found >= 0) & (found <= FARTHEST), "lies between 0 and 25"
    )


def whole(name: str, value: object, least: int = 1) -> int:
    """The value as a whole number of at least `least`; LetheError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise LetheError(f"{name} is a whole number, {least} or more: got {value!r}")
    return int(value)


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """The value if it is known; LetheError with the nearest known one otherwise."""
    if value not in known:
        raise LetheError(f"unknown {name} {value!r}: {nearest(str(value), known)}")
    return value


def _numbers(name: str, value: object) -> np.ndarray:
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        raise LetheError(f"{name} is a number or an array of numbers: got {value!r:.60}") from None


def _require(name: str, found: np.ndarray, right: np.ndarray, rule: str) -> np.ndarray:
    if not np.all(right):
        wrong = np.ravel(found)[~np.ravel(right)][0]
        raise LetheError(f"{name} {rule}: got {wrong:g}")
    return found
