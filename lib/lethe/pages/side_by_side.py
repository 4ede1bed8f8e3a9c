"""The same numbers on several stores, side by side, and the table of claims that ends a verdict.

A page records a number of its main store under KEY, of the other network under KEY_other, of the
second data set under KEY_beside and of its other network under KEY_beside_other: the *end* of a
key says which store it is about. Cost: milliseconds, and a chart.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import xarray as xr
from IPython.display import HTML, Markdown, display

from lethe.pages import book, charts, dataset_facts
from lethe.pages.render import shown
from lethe.traces import list_traces, open_traces

ENDS = ("", "_other", "_beside", "_beside_other")
PAPER = "OCTDL; CUB-200 (paper), as reported"


def stores_by_end(
    pair: Sequence[xr.Dataset], second: Sequence[xr.Dataset]
) -> dict[str, xr.Dataset]:
    """The stores of one data set, or of two, by the end of their keys."""
    return dict(zip(ENDS, [*pair, *second], strict=False))


def headings(stores: Mapping[str, xr.Dataset], models: Sequence[str] = ()) -> dict[str, str]:
    """What to call each store: its data set and, if the two `models` are named, its network."""
    names = {end: ds.attrs["dataset"] for end, ds in stores.items()}
    if models:
        names = {e: f"{name}, {models[e.endswith('other')]}" for e, name in names.items()}
    return names


def chart(
    page: book.Page,
    heads: Mapping[str, str],
    parts: Mapping[str, str],
    *,
    title: str,
    x_title: str,
    more: str = "",
) -> None:
    """Show the numbers `parts` (key to words) of every store in an interval chart.

    `more` ends the description. Raises LetheError for a number that was not recorded.
    """
    rows = [
        book.row(page, key + end, f"{head}: {words}" if len(parts) > 1 else head)
        for key, words in parts.items()
        for end, head in heads.items()
    ]
    told = "; ".join(f"{row['label']} {shown(row['estimate'], '.2f')}" for row in rows)
    title, more = book.called(page, title), book.called(page, more)
    description = f"{x_title}, with 95 % intervals: {told}. {more}".strip()
    charts.show(charts.interval_chart(rows, title=title, description=description, x_title=x_title))


def table(
    page: book.Page,
    heads: Mapping[str, str],
    parts: Mapping[str, str],
    paper: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The numbers `parts` (key to words), one column a store and one for the paper (by key)."""
    columns = {
        head: [str(page.results[key + end]) if key + end in page.results else "" for key in parts]
        for end, head in heads.items()
    }
    if paper is not None:
        columns[PAPER] = [paper.get(key, "not reported") for key in parts]
    return pd.DataFrame(columns, index=[book.called(page, words) for words in parts.values()])


def compared(
    main: xr.Dataset,
    second: Sequence[xr.Dataset],
    verdicts: Sequence[str],
    others: Sequence[str],
) -> str:
    """How many verdicts on the second data set are those on the main one, in words."""
    if not second:
        return f"No second data set stands beside: all of this is about {main.attrs['dataset']}."
    same = sum(one == other for one, other in zip(verdicts, others, strict=True))
    sets = f"The two data sets are {dataset_facts.about(main)} and {dataset_facts.about(second[0])}"
    return f"{sets}. Verdicts that are the same on both: {same} of {len(verdicts)}."


def folded(numbers: pd.DataFrame, title: str) -> HTML:
    """A table behind a line that opens it, as below the charts."""
    rows = numbers.to_html(border=0)
    summary = f"<summary>{escape(title)}</summary>"
    return HTML(f'<details class="lethe-table">{summary}{rows}</details>')


def claims(
    page: book.Page, heads: Mapping[str, str], rows: Sequence[tuple[str, str, str, str]]
) -> None:
    """Show the table: the paper's claim, what it would need, what we see.

    A row is claim, need, what is seen on one data set (with `{key}` for its numbers; the ends of
    `heads` are put to the keys) and the claim of the verdict on it, or an empty string.
    """
    lines = ["| the paper's claim | what it would need | what we see |", "|---|---|---|"]
    for claim, need, seen, tested in rows:
        cells = [_seen(page, head, end, seen, tested) for end, head in heads.items()]
        lines.append(f"| {claim} | {need} | {'<br>'.join(cells)} |")
    display(Markdown("\n".join(lines)))


def _seen(page: book.Page, head: str, end: str, seen: str, tested: str) -> str:
    """What is seen on one data set, its numbers filled in, with the word of the verdict."""
    known = page.results
    filled = re.sub(r"\{(.+?)\}", lambda key: str(known.get(key[1] + end, "not measured")), seen)
    words = [v["word"] for v in page.verdicts if tested and v["claim"] == f"on {head}, {tested}"]
    return f"{head}: {book.called(page, filled)}" + "".join(f" (**{word}**)" for word in words)


def open_twin(page: book.Page, ds: xr.Dataset, captured_with: str) -> xr.Dataset | None:
    """The store of the same runs captured once more in another way, e.g. `threads2`, or None.

    Named DATASET-MODEL-PRESET+WAY; its images are put in the order of `ds`.
    """
    name = "-".join(str(ds.attrs[field]) for field in ("dataset", "model", "preset"))
    name = f"{name}+{captured_with}"
    if name not in list_traces():
        return None
    return book.use(page, open_traces(name, samples=ds["sample"].values))
