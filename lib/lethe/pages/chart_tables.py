"""The numbers behind a chart as a table in words, for readers who cannot use pictures.

A chart may bring its own table (`usermeta={"table": ...}`). Otherwise one is made for every data
set that its specification draws: the encoded columns under their titles, a column for each line
where a chart has several, and at most 60 rows. Cost: milliseconds.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

MAX_ROWS, MAX_LINES = 60, 8
GROUPS = ("facet", "row", "column", "color", "fill", "stroke", "shape", "strokeDash", "detail")
CHANNELS = (*GROUPS, "x", "x2", "y", "y2", "size", "text", "opacity", "tooltip")
PARTS = ("layer", "hconcat", "vconcat", "concat")
Table = Mapping[str, Sequence[str]]  # the words of each column
Encoding = dict[str, Any]


def in_words(value: Any) -> str:
    """Return a cell: whole numbers whole, others to 4 significant digits, `none` if missing."""
    if isinstance(value, bool | str):
        return str(value)
    if value is None or not isinstance(value, int | float) or math.isnan(value):
        return "none" if value is None or isinstance(value, float) else str(value)
    whole = abs(value) < 1e9 and (abs(value) >= 1_000 or value == round(value))
    return f"{round(value)}" if whole else f"{value:.4g}"


def thinned(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return at most 60 of the rows, evenly spread, and the words that say which."""
    step = math.ceil(len(rows) / MAX_ROWS)
    return (rows, "") if step < 2 else (rows[::step], f"Every {_th(step)} row of {len(rows):,}.")


def _th(number: int) -> str:
    last = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"


def tables(spec: Mapping[str, Any]) -> list[tuple[Table, str]]:
    """Return a table, and a word on its rows, for each data set that a specification draws."""
    drawn: dict[str, tuple[list[dict], list[Encoding]]] = {}
    for data, encoding in _views(spec, {}, {}):
        name = data.get("name", str(id(data)))
        rows = spec.get("datasets", {}).get(name, data.get("values", []))
        drawn.setdefault(name, (rows, []))[1].append(encoding)
    made = [_made(pd.DataFrame(rows), encodings) for rows, encodings in drawn.values()]
    found = [(rows, many) for rows, many in made if rows.size]
    full = [(rows, many) for rows, many in found if len(rows) > 1] or found  # marks and labels
    return [_told(rows, many) for rows, many in full]


def _views(part: Mapping, data: Mapping, encoding: Encoding) -> Iterator[tuple[Mapping, Encoding]]:
    """Every single view with the data and the encoding it inherits."""
    data, encoding = part.get("data") or data, encoding | part.get("encoding", {})
    inner = [view for key in PARTS for view in part.get(key, ())]
    inner += [part["spec"]] if "spec" in part else []
    for view in inner:
        yield from _views(view, data, encoding)
    if not inner:
        yield data, encoding


def _made(rows: pd.DataFrame, encodings: Sequence[Encoding]) -> tuple[pd.DataFrame, bool]:
    """The encoded columns under their titles, and whether each line has a column of its own."""
    titles = _titles(encodings)
    known = [name for name in titles if name in rows and not _is_picture(rows[name])]
    lines = _lines(rows, encodings, known)
    if lines:
        across, x, y = lines
        wide = rows.pivot(index=x, columns=across, values=y).reset_index()
        order = [x, *dict.fromkeys(rows[across])]
        return wide[order].rename(columns={x: titles[x]}).rename_axis(columns=titles[y]), True
    kept = rows[known].dropna(axis="columns", how="all").drop_duplicates()
    return kept.rename(columns=_apart(titles)), False


def _titles(encodings: Sequence[Encoding]) -> dict[str, str]:
    """The title of each encoded column, in the order of CHANNELS; the first one given holds."""
    found: dict[str, str] = {}
    for channel in CHANNELS:
        for encoding in encodings:
            given = encoding.get(channel, {})
            for one in given if isinstance(given, list) else [given]:
                if "field" in one and isinstance(one["field"], str):
                    found[one["field"]] = found.get(one["field"]) or _title(one)
    return {name: title or name.replace("_", " ") for name, title in found.items()}


def _title(channel: Mapping[str, Any]) -> str:
    given = channel.get("title") or (channel.get("legend") or {}).get("title") or ""
    return " ".join(given) if isinstance(given, list) else str(given)


def _apart(titles: Mapping[str, str]) -> dict[str, str]:
    """Titles in which no two columns are called the same: those with one title add their names."""
    many = Counter(titles.values())
    added = {name: name.replace("_", " ") for name in titles}
    return {
        name: title if many[title] == 1 or title == added[name] else f"{title} ({added[name]})"
        for name, title in titles.items()
    }


def _is_picture(column: pd.Series) -> bool:
    return column.astype(str).str.startswith("data:").any()


def _lines(
    rows: pd.DataFrame, encodings: Sequence[Encoding], known: Sequence[str]
) -> tuple[str, str, str] | None:
    """Columns (line, x, y) of a chart that is a few lines and nothing else, else None."""
    field = {c: {e[c]["field"] for e in encodings if "field" in e.get(c, {})} for c in ("x", "y")}
    groups = {e[c]["field"] for e in encodings for c in GROUPS if "field" in e.get(c, {})}
    if any(len(names) != 1 for names in (groups, *field.values())):
        return None
    names = (*groups, *field["x"], *field["y"])
    if set(names) != set(known) or len(set(names)) < 3 or rows.duplicated(list(names[:2])).any():
        return None
    return names if rows[names[0]].nunique() <= MAX_LINES else None


def _told(rows: pd.DataFrame, lines: bool) -> tuple[Table, str]:
    kept, note = thinned(rows)
    if lines:
        note = f"{rows.columns.name}, a column for each line. {note}".strip()
    return {str(name): [in_words(cell) for cell in kept[name].tolist()] for name in kept}, note


def table_html(shown: Sequence[tuple[Table, str]]) -> str:
    """Return tables, each with a word on its rows, folded behind one line that opens them."""
    inner = "".join(_one(table, note) for table, note in shown)
    summary = "<summary>The numbers in this chart</summary>"
    return f'<details class="lethe-table">{summary}{inner}</details>'


def _one(table: Table, note: str) -> str:
    caption = f"<caption>{escape(note)}</caption>" if note else ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table)
    rows = zip(*table.values(), strict=True)
    cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
