"""Courses side by side: the same arms in several panels, linked, and what an amount is made of.

`courses` draws a panel for every quantity over one x-axis; an arm picked in the legend or list
dims the others in every panel. `stacks` draws one bar for every row, cut into named parts. An arm
is told apart by colour and dash. Cost: that of drawing.
"""

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lethe.errors import LetheError, nearest
from lethe.pages.picks import arm_picker
from lethe.pages.render import COLORS, INK, described, finished, limited

DASHES = ((1, 0), (6, 3))
MOST = len(COLORS) * len(DASHES)
WIDTH, HEIGHT = 248, 250


def courses(
    table: pd.DataFrame,
    x: str,
    panels: Mapping[str, str],
    color: str,
    *,
    title: str,
    description: str,
    x_title: str,
) -> alt.HConcatChart:
    """Draw each column of `panels` (column to words) over `x`, one line per `color`, linked.

    LetheError for an absent column and for more than eight colours.
    """
    for name in {x, color, *panels} - set(table.columns):
        raise LetheError(f"no column {name!r} for the courses: {nearest(name, table.columns)}")
    names = list(dict.fromkeys(table[color]))
    if len(names) > MOST:
        raise LetheError(f"{len(names)} colours in a chart of courses: the limit is {MOST}")
    params, picked = arm_picker(color, names)
    rows = limited(table[[x, color, *panels]])
    drawn = [
        _panel(rows, x, name, words, color, names, x_title, picked)
        for name, words in panels.items()
    ]
    drawn[0] = drawn[0].add_params(*params)  # one legend, so one is enough for all panels
    chart = alt.hconcat(*drawn, spacing=26)
    return described(chart, title, description).properties(
        usermeta={"table": _ends(rows, x, panels, color)}
    )


def _panel(
    rows: pd.DataFrame,
    x: str,
    y: str,
    words: str,
    color: str,
    names: list[str],
    x_title: str,
    picked: Any,
) -> alt.Chart:
    """The lines of one quantity; colour and dash stand for the arm."""
    colors, n = list(COLORS.values()), range(len(names))
    looks: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 500}
    looks |= {"symbolStrokeWidth": 3, "symbolOpacity": 1}
    legend = alt.Legend(title=None, orient="bottom", columns=2, **looks)
    ranges = [colors[k % len(colors)] for k in n], [DASHES[k // len(colors)] for k in n]
    scales = [alt.Scale(domain=names, range=values) for values in ranges]
    told = [f"{color}:N", alt.Tooltip(f"{x}:Q", format=".2f"), alt.Tooltip(f"{y}:Q", format=".3f")]
    mark = alt.Chart(rows).mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=22))
    return mark.encode(
        x=alt.X(f"{x}:Q", title=x_title),
        y=alt.Y(f"{y}:Q", title=None, scale=alt.Scale(zero=False, nice=True)),
        color=alt.Color(f"{color}:N", scale=scales[0], legend=legend),
        strokeDash=alt.StrokeDash(f"{color}:N", scale=scales[1], legend=legend),
        opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
        tooltip=told,
    ).properties(width=WIDTH, height=HEIGHT, title=alt.Title(words, fontSize=12, offset=6))


def _ends(
    rows: pd.DataFrame, x: str, panels: Mapping[str, str], color: str
) -> dict[str, list[str]]:
    """First and last value of every line in words."""
    ordered = rows.sort_values(x, kind="stable").groupby(color, sort=False)
    ends = {"first": ordered.first(), "last": ordered.last()}
    cells = {"which": [str(name) for name in ends["first"].index]}
    for name, words in panels.items():
        for end, values in ends.items():
            cells[f"{words}, {end}"] = [f"{value:.3f}" for value in values[name]]
    return cells


def stacks(
    table: pd.DataFrame,
    parts: Mapping[str, str],
    label: str,
    *,
    title: str,
    description: str,
    x_title: str,
    fmt: str = ".1%",
) -> alt.LayerChart:
    """Draw a bar per row, cut into the columns `parts` (column to words); negative ones go left.

    LetheError for an absent column and for more than four parts.
    """
    for name in {label, *parts} - set(table.columns):
        raise LetheError(f"no column {name!r} for the stacks: {nearest(name, table.columns)}")
    if len(parts) > len(COLORS):
        raise LetheError(f"{len(parts)} parts in a chart of stacks: the limit is {len(COLORS)}")
    rows = [str(name) for name in table[label]]
    long = pd.concat(
        pd.DataFrame({"row": rows, "part": words, "value": table[name].to_numpy(), "rank": rank})
        for rank, (name, words) in enumerate(parts.items())
    )
    scale = alt.Scale(domain=list(parts.values()), range=list(COLORS.values())[: len(parts)])
    legend = alt.Legend(title=None, orient="bottom", columns=1, symbolStrokeWidth=0)
    base = alt.Chart(limited(long))
    bars = base.mark_bar(size=22, stroke="white", strokeWidth=0.5).encode(
        x=alt.X("value:Q", title=x_title, axis=alt.Axis(format=fmt.replace(".1", ".0"))),
        y=alt.Y("row:N", sort=rows, title=None, axis=alt.Axis(labelLimit=260)),
        color=alt.Color("part:N", scale=scale, legend=legend),
        order=alt.Order("rank:Q"),
        tooltip=["row:N", "part:N", alt.Tooltip("value:Q", format=fmt)],
    )
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK).encode(x="x:Q")
    cells = {"row": rows} | {
        words: [f"{value:{fmt}}" for value in table[name]] for name, words in parts.items()
    }
    total = np.asarray(table[list(parts)].sum(axis=1))
    cells["together"] = [f"{value:{fmt}}" for value in total]
    height = max(34 * len(rows), 90)
    return finished(alt.layer(bars, zero), title, description, height=height, table=cells)
