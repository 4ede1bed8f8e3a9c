"""Verdicts of several pages side by side: by claim and data set, as marks, and counted.

A claim that begins with `on DATASET, ` belongs to that data set; any other belongs to none, "".
Cost: milliseconds; the pages have been executed before.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from lethe.pages.book import CANNOT_TELL, NOT_UPHELD, UPHELD, Result

WORDS = (UPHELD, NOT_UPHELD, CANNOT_TELL)
Record = Mapping[str, Any]  # what a page wrote: parameters, results, verdicts
SPOKEN = {"glyphs": "letters and digits", "cifar7": "photographs"}


def spoken(dataset: str) -> str:
    """What a data set shows, in words; its name if that is all we know."""
    return SPOKEN.get(dataset, dataset)


def by_claim(record: Record) -> dict[str, dict[str, dict[str, str]]]:
    """The verdicts of a page: claim to data set to verdict (claim, word, reason)."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    sets = [str(record["parameters"].get(name, "")) for name in ("dataset", "beside")]
    sets += list(record["parameters"].get("datasets", []))
    for verdict in record["verdicts"]:
        where, _, claim = verdict["claim"].partition(", ")
        on = where.removeprefix("on ")
        known = where.startswith("on ") and on in sets
        claim, on = (claim, on) if known else (verdict["claim"], "")
        found.setdefault(claim, {})[on] = verdict
    return found


def headline(record: Record, key: str) -> dict[str, Result]:
    """The number `key` of a page by data set, the main one first; `key_beside` is the second's."""
    given, results = record["parameters"], record["results"]
    places = [(given["dataset"], key), (given["beside"], f"{key}_beside")]
    kept = {data: dict(results[name]) for data, name in places if name in results}
    for result in kept.values():
        result.pop("text")
    return {data: Result(**result) for data, result in kept.items()}


def placed(result: Result) -> str:
    """Where a number lies, in words: `above chance, below the ceiling`; empty without intervals."""
    if result.low is None or result.high is None:
        return ""
    names = (("chance", result.null), ("the ceiling", result.ceiling))
    return ", ".join(f"{_side(result, band)} {name}" for name, band in names if band is not None)


def _side(result: Result, band: float | Sequence[float]) -> str:
    """Whether the interval of a number is clear of a band, and on which side of it."""
    ends = np.atleast_1d(band)
    if result.low > ends.max():
        return "above"
    return "below" if result.high < ends.min() else "at"


def mark(word: str) -> str:
    """A verdict as a small HTML label; its text says what its colour does."""
    return f'<span class="lethe-mark lethe-{word.replace(" ", "-")}">{escape(word)}</span>'


def tally(records: Mapping[str, Record]) -> pd.DataFrame:
    """How many claims of each page are upheld, not upheld and open: page by word."""
    rows = {
        name: [sum(v["word"] == word for v in record["verdicts"]) for word in WORDS]
        for name, record in records.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(WORDS))
