"""The chart of fronts: what each arm reached in two accuracies, and its best compromises.

Every row of the table is a point. A point that no other point of its arm beats in both accuracies
lies on the arm's front; those are filled and joined by a line, the others are faint. An arm is told
apart by colour, shape and dash together. An arm picked in the legend or list dims the others.
"""

from collections.abc import Callable
from typing import Any

import altair as alt
import pandas as pd

from lethe.analysis.arms import on_front
from lethe.errors import LetheError, nearest
from lethe.pages.picks import arm_picker
from lethe.pages.render import COLORS, INK, finished, limited, shown

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
DASHES = ((1, 0), (5, 3), (1, 3))
MOST = len(SHAPES) * len(COLORS)  # colours and shapes go round with different periods


def fronts(
    table: pd.DataFrame,
    x: str,
    y: str,
    arm: str = "arm",
    *,
    title: str,
    description: str,
    x_title: str,
    y_title: str,
    at: float | None = None,
    point: str | None = None,
) -> alt.LayerChart:
    """Draw column `y` over `x`, a point a row, and the front of every `arm`; higher is better.

    `at` is a value of `x` to mark; `point` a column of words that name a point where the mouse is.
    Raises LetheError for an absent column, for more than 20 arms or more than 5,000 rows.
    """
    for name in {x, y, arm, point or x} - set(table.columns):
        raise LetheError(f"no column {name!r} for the fronts: {nearest(name, table.columns)}")
    rows = _with_fronts(limited(table[[arm, x, y, *([point] if point else [])]]), x, y, arm)
    params, picked = arm_picker(arm, list(dict.fromkeys(rows[arm])))
    base = _base(rows, x, y, arm, x_title, y_title, picked, point)
    joined = base.transform_filter("datum.front").mark_line(strokeWidth=2)
    faint = base.transform_filter("!datum.front").mark_point(size=25, filled=True)
    best = base.transform_filter("datum.front").mark_point(size=80, filled=True)
    layers = [
        _mark(at, x_title),
        joined.encode(order=alt.Order(f"{x}:Q"), opacity=_seen(picked, 0.7)),
        faint.encode(opacity=_seen(picked, 0.3)),
        best.encode(opacity=_seen(picked, 1)).add_params(*params),
    ]
    chart = alt.layer(*layers[at is None :]).resolve_legend(strokeDash="independent")
    return finished(chart, title, description, 380, _numbers(rows, x, y, arm, x_title, y_title))


def _with_fronts(table: pd.DataFrame, x: str, y: str, arm: str) -> pd.DataFrame:
    """The rows by arm and x, with the column `front`; points without a number are left out."""
    table = table.dropna(subset=[x, y])
    names = list(dict.fromkeys(table[arm]))
    if len(names) > MOST:
        raise LetheError(f"{len(names)} arms in a chart of fronts: the limit is {MOST}")
    parts = [rows.assign(front=on_front(rows[x], rows[y])) for _, rows in table.groupby(arm)]
    ranks = {name: k for k, name in enumerate(names)}
    rows = pd.concat(parts) if parts else table.assign(front=False)
    return rows.sort_values([arm, x], key=lambda c: c.map(ranks) if c.name == arm else c)


def _base(
    rows: pd.DataFrame,
    x: str,
    y: str,
    arm: str,
    x_title: str,
    y_title: str,
    picked: Any,
    point: str | None,
) -> alt.Chart:
    """Axes, tooltip and what tells the arms apart."""
    names = list(dict.fromkeys(rows[arm]))
    colors, n = list(COLORS.values()), range(len(names))
    legend = alt.Legend(title=None, orient="bottom", columns=3, symbolOpacity=1, symbolSize=90)
    told = [alt.Tooltip(f"{c}:Q", title=w, format=".1%") for c, w in ((x, x_title), (y, y_title))]
    scale = alt.Scale(zero=False, nice=True)
    axis = alt.Axis(format="%")
    return alt.Chart(rows).encode(
        x=alt.X(f"{x}:Q", title=x_title, scale=scale, axis=axis),
        y=alt.Y(f"{y}:Q", title=y_title, scale=scale, axis=axis),
        color=_by(alt.Color, arm, names, [colors[k % len(colors)] for k in n], legend),
        shape=_by(alt.Shape, arm, names, [SHAPES[k % len(SHAPES)] for k in n], legend),
        strokeDash=_by(
            alt.StrokeDash, arm, names, [DASHES[k // len(colors) % len(DASHES)] for k in n], None
        ),
        tooltip=[f"{arm}:N", *([f"{point}:N"] if point else []), *told],
    )


def _by(
    channel: Callable[..., Any], arm: str, names: list[str], values: list, legend: alt.Legend | None
) -> Any:
    return channel(f"{arm}:N", scale=alt.Scale(domain=names, range=values), legend=legend)


def _seen(picked: Any, opacity: float) -> Any:
    return alt.condition(picked, alt.value(opacity), alt.value(0.06))


def _mark(at: float | None, x_title: str) -> alt.Chart:
    """A dashed upright line at the value of x that the arms are compared at."""
    line = alt.Chart(pd.DataFrame({"at": [at]})).mark_rule(color=INK, strokeDash=[3, 3])
    return line.encode(x=alt.X("at:Q", title=x_title))


def _numbers(
    rows: pd.DataFrame, x: str, y: str, arm: str, x_title: str, y_title: str
) -> dict[str, list[str]]:
    """The points on the fronts in words."""
    best = rows[rows["front"]]
    words = {title: [shown(v, ".1%") for v in best[c]] for c, title in ((x, x_title), (y, y_title))}
    return {"arm": [str(name) for name in best[arm]], **words}
