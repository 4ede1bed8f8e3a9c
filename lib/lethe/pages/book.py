"""Results of a page: numbers with interval, null and ceiling, and verdicts computed from them.

A page calls `start`, then `use` for each trace store and `use_study` for each table of a study,
`record` for each number, `verdict` once or more, and `finish`. Rules for verdicts (book, "How to
read the numbers"): the limit and the margin are named before the number is seen; fewer than 6
seeds, or no interval, give "cannot tell".
"""

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import HTML, Markdown, display

from lethe.errors import LetheError, nearest
from lethe.pages import provenance, sample_words
from lethe.pages.render import shown

MIN_SEEDS = 6
LAST_BUILD = Path(__file__).resolve().parents[3] / "_build" / "results"
UPHELD, NOT_UPHELD, CANNOT_TELL = "upheld", "not upheld", "cannot tell"


@dataclass(frozen=True)
class Result:
    """One recorded number; None where it does not apply."""

    value: float
    low: float | None = None
    high: float | None = None
    null: float | tuple[float, float] | None = None
    ceiling: float | tuple[float, float] | None = None
    n_seeds: int | None = None
    paper: float | tuple[float, float] | None = None
    fmt: str = ".2f"

    def __str__(self) -> str:
        words = shown(self.value, self.fmt)
        if self.low is None or self.high is None:
            return words
        return f"{words} [{shown(self.low, self.fmt)}, {shown(self.high, self.fmt)}]"


@dataclass(frozen=True)
class Check:
    """The outcome of one rule and the sentence that says why."""

    word: str
    reason: str


@dataclass
class Page:
    """What one execution of one notebook has found so far."""

    name: str
    parameters: dict[str, Any]
    results: dict[str, Result] = field(default_factory=dict)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    stores: list[dict[str, Any]] = field(default_factory=list)
    units: list[str] = field(default_factory=list)  # what the samples of each store are
    started: float = field(default_factory=time.time)


def start(name: str, parameters: dict[str, Any]) -> Page:
    """Return the record of the page `name`, executed with these `parameters`."""
    return Page(name, dict(parameters))


def use(page: Page, traces: Any) -> Any:
    """Note the trace store behind `traces` (from `lethe.traces.open_traces`) and return it."""
    page.stores.append(provenance.of_store(traces))
    page.units.append(sample_words.noun(traces))
    return traces


def unit(page: Page) -> str:
    """What this page calls a sample: image, text, or sample where its stores differ."""
    kinds = set(page.units) or {"image"}
    return kinds.pop() if len(kinds) == 1 else "sample"


def called(page: Page, words: str) -> str:
    """Words about images as this page has to say them: of texts, or of samples."""
    return sample_words.called(words, unit(page))


def use_study(page: Page, table: Any) -> Any:
    """Note the study behind `table` (from `lethe.analysis.arms.read_study`) and return it."""
    page.stores.append(provenance.of_study(table))
    return table


def record(
    page: Page,
    key: str,
    value: float,
    low: float | None = None,
    high: float | None = None,
    null: float | Sequence[float] | None = None,
    ceiling: float | Sequence[float] | None = None,
    n_seeds: int | None = None,
    paper: float | Sequence[float] | None = None,
    fmt: str = ".2f",
) -> str:
    """Keep a number under `key` and return it in words: `0.41 [0.38, 0.44]`.

    `low`, `high`: its interval; `null`, `ceiling`, `paper`: a number or a pair, the last as
    reported. Raises LetheError for a key used twice or an interval that does not hold low <= high.
    """
    if key in page.results:
        raise LetheError(f"{page.name}: the result {key!r} is recorded twice")
    if low is not None and high is not None and low > high:
        raise LetheError(f"{page.name}: {key}: the interval [{low}, {high}] is upside down")
    bands = _plain(null), _plain(ceiling)
    result = Result(float(value), _plain(low), _plain(high), *bands, n_seeds, _plain(paper), fmt)
    page.results[key] = result
    return str(result)


def keep(page: Page, key: str, interval: Any, **more: Any) -> str:
    """Record an interval of `lethe.analysis` with its seeds; `more` is as for `record`."""
    more["n_seeds"] = interval.n_seeds
    limits = (interval.low, interval.high) if math.isfinite(interval.low) else (None, None)
    return record(page, key, interval.estimate, *limits, **more)


def row(page: Page, key: str, label: str) -> dict[str, Any]:
    """Return a recorded number as a row of `charts.interval_chart`."""
    result = asdict(_result(page, key))
    return {"label": called(page, label), "estimate": result.pop("value")} | result


def above(page: Page, key: str, limit: float) -> Check:
    """Upheld if the whole interval lies above `limit`, not upheld if it lies below."""
    result = _result(page, key)
    low, high = _interval(result)
    return _judge(result, low > limit, high < limit, f"above {_limit(limit, result)}")


def below(page: Page, key: str, limit: float) -> Check:
    """Upheld if the whole interval lies below `limit`, not upheld if it lies above."""
    result = _result(page, key)
    low, high = _interval(result)
    return _judge(result, high < limit, low > limit, f"below {_limit(limit, result)}")


def within(page: Page, key: str, limit: float, margin: float) -> Check:
    """Upheld if the interval lies inside `limit` +/- `margin`, not upheld if outside of it."""
    result = _result(page, key)
    low, high = _interval(result)
    inside = low > limit - margin and high < limit + margin
    outside = low > limit + margin or high < limit - margin
    rule = f"within {_limit(margin, result)} of {_limit(limit, result)}"
    return _judge(result, inside, outside, rule)


def exceeds(page: Page, key: str, limit: float, margin: float) -> Check:
    """Upheld if the interval lies above `limit`, by however little; not upheld if it does not and
    ends below `limit` + `margin`: a gain that would matter is excluded.
    """
    result = _result(page, key)
    low, high = _interval(result)
    ends = _limit(limit, result), _limit(limit + margin, result)
    return _reach(result, low > limit, high < limit + margin, "above", ends)


def undercuts(page: Page, key: str, limit: float, margin: float) -> Check:
    """`exceeds` mirrored: upheld if the interval lies below `limit`."""
    result = _result(page, key)
    low, high = _interval(result)
    ends = _limit(limit, result), _limit(limit - margin, result)
    return _reach(result, high < limit, low > limit - margin, "below", ends)


def negated(check: Check) -> Check:
    """The check of the opposite claim: upheld for not upheld, with the same reason."""
    turned = {UPHELD: NOT_UPHELD, NOT_UPHELD: UPHELD}
    return Check(turned.get(check.word, check.word), check.reason)


def verdict(page: Page, claim: str, *checks: Check) -> str:
    """Display the verdict on `claim` and return "upheld", "not upheld" or "cannot tell".

    Upheld if every check is; not upheld if one is not; otherwise it cannot be told.
    """
    if not checks:
        raise LetheError(f"{page.name}: a verdict on {claim!r} without a check")
    words = [check.word for check in checks]
    every = UPHELD if all(word == UPHELD for word in words) else CANNOT_TELL
    word = NOT_UPHELD if NOT_UPHELD in words else every
    why = "; ".join(check.reason for check in checks)
    page.verdicts.append({"claim": claim, "word": word, "reason": why})
    said = called(page, claim)
    plain = f"Verdict: {word}. Claim: {said} Because {why}."
    display({"text/html": _verdict_html(word, said, why), "text/plain": plain}, raw=True)
    return word


def _verdict_html(word: str, claim: str, why: str) -> str:
    kind = word.replace(" ", "-")
    return (
        f'<div class="lethe-verdict lethe-{kind}"><p><strong>Verdict: {word}.</strong> '
        f"Claim: {escape(claim)}</p><p>Because {escape(why)}.</p></div>"
    )


def text(page: Page, words: str) -> None:
    """Display Markdown in which `{key}` stands for the recorded number of that name.

    Words about images follow the stores of the page, see `called`.
    """
    try:
        filled = words.format_map({key: str(value) for key, value in page.results.items()})
    except KeyError as missing:
        raise LetheError(_unknown(page, str(missing.args[0]))) from None
    display(Markdown(called(page, filled)))


def finish(page: Page) -> None:
    """Write the results to $LETHE_RESULTS/NAME.json, if that is set, and display the provenance."""
    facts = provenance.facts(time.time() - page.started)
    folder = os.environ.get("LETHE_RESULTS")
    if folder:
        results = {k: asdict(v) | {"text": str(v)} for k, v in page.results.items()}
        content = {"name": page.name, "parameters": page.parameters, "results": results}
        content |= {"verdicts": page.verdicts, "stores": page.stores} | facts
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / f"{page.name}.json"
        path.write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")
    display(HTML(provenance.footer(page.name, page.parameters, page.stores, facts)))


def read_results(names: Sequence[str], folder: str | Path | None = None) -> dict[str, dict]:
    """Return the results of the pages `names`, written by `finish`; a missing page is an error.

    Looked for in `folder`, else $LETHE_RESULTS, else the results of the last `make book`.
    """
    place = Path(folder or os.environ.get("LETHE_RESULTS") or LAST_BUILD)
    missing = [name for name in names if not (place / f"{name}.json").is_file()]
    if missing:
        raise LetheError(f"no results of {', '.join(missing)} in {place}: run `make book` first")
    return {name: json.loads((place / f"{name}.json").read_text("utf-8")) for name in names}


def words(value: float | Sequence[float] | None, fmt: str = ".2f") -> str:
    """Return a number, a pair or nothing in words: `0.05`, `0.04 to 0.06`, `none`."""
    if value is None:
        return "none"
    pair = dict.fromkeys(shown(number, fmt) for number in np.atleast_1d(value))
    return " to ".join(pair)


def _judge(result: Result, holds: bool, fails: bool, rule: str) -> Check:
    told = {UPHELD: "lies", NOT_UPHELD: "does not lie", CANNOT_TELL: "does not clearly lie"}
    return _told(result, holds, fails, {word: f"{said} {rule}" for word, said in told.items()})


def _reach(result: Result, beyond: bool, short: bool, way: str, ends: tuple[str, str]) -> Check:
    """A check that a number is beyond a limit; `ends` are the limit, and where the margin ends."""
    told = {UPHELD: f"lies {way} {ends[0]}"}
    told |= {NOT_UPHELD: f"does not lie {way} {ends[0]} and ends short of {ends[1]}"}
    told |= {CANNOT_TELL: f"neither lies {way} {ends[0]} nor ends short of {ends[1]}"}
    return _told(result, beyond, short and not beyond, told)


def _told(result: Result, holds: bool, fails: bool, told: dict[str, str]) -> Check:
    """The outcome in words, or why there is none."""
    seeds = result.n_seeds
    if seeds is None:
        return Check(CANNOT_TELL, f"for {result} the number of seeds is not recorded")
    if seeds < MIN_SEEDS:
        return Check(CANNOT_TELL, f"{result} rests on {seeds} seeds, fewer than {MIN_SEEDS}")
    if math.isnan(result.value) or any(math.isnan(bound) for bound in _interval(result)):
        return Check(CANNOT_TELL, f"{result} has no interval")
    word = UPHELD if holds else NOT_UPHELD if fails else CANNOT_TELL
    return Check(word, f"{result}, from {seeds} seeds, {told[word]}")


def _limit(number: float, result: Result) -> str:
    """A limit as the page writes its number: in per cent, or as short as it is."""
    return f"{number:{result.fmt}}" if result.fmt.endswith("%") else f"{number:g}"


def _interval(result: Result) -> tuple[float, float]:
    low, high = result.low, result.high
    return (math.nan, math.nan) if low is None or high is None else (low, high)


def _result(page: Page, key: str) -> Result:
    if key not in page.results:
        raise LetheError(_unknown(page, key))
    return page.results[key]


def _unknown(page: Page, key: str) -> str:
    return f"{page.name} has no result {key!r}: {nearest(key, page.results)}"


def _plain(value: Any) -> Any:
    """Numbers and pairs as plain Python, so that they print and serialise alike everywhere."""
    if value is None:
        return None
    return tuple(map(float, value)) if np.ndim(value) else float(value)
