"""A line chart with sliders: every setting is computed beforehand, the slider picks one of them.

A slider moves over the positions of its column's sorted values, so the values may lie at any
distance (1, 2, 5, 10, 20); the chosen ones are written above the chart. The picture and the text
form show the start values. Cost: that of drawing; nothing is computed in the browser.
"""

import json
from collections.abc import Mapping
from functools import partial

import altair as alt
import numpy as np
import pandas as pd

from lethe.errors import LetheError, nearest
from lethe.pages.chart_tables import Table, tables
from lethe.pages.render import finished, limited

HEIGHT = 300


def sliders(
    table: pd.DataFrame,
    x: str,
    y: str,
    color: str,
    *,
    choose: Mapping[str, str],
    title: str,
    description: str,
    x_title: str,
    y_title: str,
    start: Mapping[str, float] | None = None,
) -> alt.LayerChart:
    """Draw `y` over `x`, one line per `color`, with a slider for each column in `choose`.

    `table` has rows for all combinations of the chosen columns' values; `choose` maps a column to
    the words on its slider, `start` a column to its first value (default: the smallest).
    Raises LetheError for an absent combination, an unknown start or more than 5,000 rows.
    """
    grids = _grids(table, choose, start or {})
    rows = limited(table)[[x, y, color]].copy()
    for k, column in enumerate(choose):
        rows[f"at{k}"] = np.searchsorted(grids[column][0], table[column])
    params = [_slider(k, words, *grids[column]) for k, (column, words) in enumerate(choose.items())]
    picked = " && ".join(f"datum.at{k} === {param.name}" for k, param in enumerate(params))
    chart = alt.layer(_lines(rows, x, y, color, x_title, y_title, picked), _readout(choose, grids))
    chart = chart.add_params(*params)
    first = np.all([rows[f"at{k}"] == at for k, (_, at) in enumerate(grids.values())], axis=0)
    told = ", ".join(f"{choose[c]} {values[at]:g}" for c, (values, at) in grids.items())
    words = description.strip() and f"{description} With sliders; shown for {told}."
    numbers, note = _start_table(rows[first], x, y, color, x_title, y_title)
    chart = finished(chart, title, words, HEIGHT, numbers, f"At the start: {told}. {note}")
    chart.usermeta["steps"] = {choose[c]: [f"{v:g}" for v in grids[c][0]] for c in grids}
    return chart


def _grids(
    table: pd.DataFrame, choose: Mapping[str, str], start: Mapping[str, float]
) -> dict[str, tuple[np.ndarray, int]]:
    """By column, its sorted values and the position of the first one shown; checks the table."""
    for names, known in ((choose, table.columns), (start, choose)):
        for name in set(names) - set(known):
            raise LetheError(f"no column {name!r} for a slider: {nearest(name, known)}")
    grids = {}
    for column in choose:
        values = np.unique(table[column].to_numpy(float))
        first = float(start.get(column, values[0]))
        if first not in values:
            choices = ", ".join(f"{value:g}" for value in values)
            raise LetheError(f"{column} cannot start at {first:g}: choose one of {choices}")
        grids[column] = values, int(np.searchsorted(values, first))
    wanted = int(np.prod([len(values) for values, _ in grids.values()]))
    there = len(table[list(choose)].drop_duplicates())
    if there != wanted:
        raise LetheError(f"the table has {there} settings of {wanted}: give every combination")
    return grids


def _slider(k: int, words: str, values: np.ndarray, first: int) -> alt.Parameter:
    """A native range input, so that the arrow keys move it, over the positions of `values`."""
    bind = alt.binding_range(min=0, max=len(values) - 1, step=1, name=f"{words} ")
    return alt.param(name=f"pick{k}", value=first, bind=bind)


def _lines(
    rows: pd.DataFrame, x: str, y: str, color: str, x_title: str, y_title: str, picked: str
) -> alt.Chart:
    """The lines of the setting picked, on axes that hold those of all settings."""
    scale = partial(alt.Scale, nice=True, zero=False)
    names = list(dict.fromkeys(rows[color]))
    legend = alt.Legend(title=None, orient="bottom", columns=2, symbolOpacity=1)
    pairs = {x: x_title, y: y_title}
    told = [alt.Tooltip(f"{c}:Q", title=words, format=".3~g") for c, words in pairs.items()]
    mark = alt.Chart(rows).transform_filter(picked).mark_line(strokeWidth=2, point={"size": 30})
    return mark.encode(
        x=alt.X(f"{x}:Q", title=x_title, scale=scale(domain=_ends(rows[x]))),
        y=alt.Y(f"{y}:Q", title=y_title, scale=scale(domain=_ends(rows[y]))),
        color=alt.Color(f"{color}:N", scale=alt.Scale(domain=names), legend=legend),
        tooltip=[f"{color}:N", *told],
    )


def _readout(choose: Mapping[str, str], grids: Mapping[str, tuple[np.ndarray, int]]) -> alt.Chart:
    """The chosen values in words above the lines; they follow the sliders."""
    parts = []
    for k, (column, words) in enumerate(choose.items()):
        values = json.dumps([f"{value:g}" for value in grids[column][0]])
        parts.append(f"{json.dumps(words + ': ')} + {values}[pick{k}]")
    text = alt.ExprRef(" + '   ·   ' + ".join(parts))
    mark = alt.Chart(pd.DataFrame({"one": [1]})).mark_text(
        align="left", baseline="bottom", fontSize=13, fontWeight="bold", text=text
    )
    return mark.encode(x=alt.value(0), y=alt.value(-8))


def _ends(column: pd.Series) -> list[float]:
    return [float(column.min()), float(column.max())]


def _start_table(
    rows: pd.DataFrame, x: str, y: str, color: str, x_title: str, y_title: str
) -> tuple[Table, str]:
    """The lines of the setting shown first, as a table of words with a note on its rows."""
    encoding = {"x": {"field": x, "title": x_title}, "y": {"field": y, "title": y_title}}
    values = rows[[x, y, color]].to_dict("records")
    spec = {"data": {"values": values}, "encoding": encoding | {"color": {"field": color}}}
    return tables(spec)[0]
