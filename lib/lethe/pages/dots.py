"""The chart of dots: the same rows in several panels, an estimate and its interval for each colour.

The label of a row stands above its dots, so that every panel can be read alone: panels are side by
side, and below each other where the page is narrow.
"""

from collections.abc import Mapping

import altair as alt
import pandas as pd

from lethe.errors import LetheError, nearest
from lethe.pages.render import COLORS, INK, described, limited, shown

COLUMNS = ("row", "panel", "color", "estimate", "low", "high")
WIDTH, STEP, GAP = 285, 44, 9  # pixels: a panel, a row, between the dots of a row
SHAPES = ("circle", "square", "diamond", "triangle-up")


def dots(
    table: pd.DataFrame,
    *,
    title: str,
    description: str,
    x_title: str,
    marks: Mapping[str, float] | None = None,
    domain: tuple[float, float] | None = None,
    fmt: str = ".2f",
) -> alt.HConcatChart:
    """Draw a dot with its interval for every row of a table with the columns COLUMNS.

    Rows, panels and colours keep the order of the table; `marks` names values of x to draw a line
    at. Raises LetheError for an absent column and for more than four colours.
    """
    for name in set(COLUMNS) - set(table.columns):
        raise LetheError(f"no column {name!r} for the dots: {nearest(name, table.columns)}")
    colors = list(dict.fromkeys(table["color"]))
    if len(colors) > len(SHAPES):
        raise LetheError(f"{len(colors)} colours in a chart of dots: the limit is {len(SHAPES)}")
    rows = list(dict.fromkeys(table["row"]))
    placed = limited(table[list(COLUMNS)]).assign(
        place=[rows.index(row) * STEP + STEP // 2 for row in table["row"]],
        shift=[(colors.index(c) + 1) * GAP for c in table["color"]],
    )
    placed["y"] = placed["place"] + placed["shift"]
    spread = placed[["low", "estimate", "high"]]
    ends = domain or (spread.min(axis=None), spread.max(axis=None))
    scale = alt.Scale(domain=[float(end) for end in ends], nice=domain is None)
    panels = [
        _panel(
            placed[placed["panel"] == name], name, len(rows), scale, x_title, colors, marks or {}
        )
        for name in dict.fromkeys(table["panel"])
    ]
    chart = alt.hconcat(*panels, spacing=24).resolve_scale(color="shared", shape="shared")
    numbers = {"usermeta": {"table": _numbers(placed, fmt)}}
    return described(chart, title, description).properties(**numbers)


def _panel(
    table: pd.DataFrame,
    name: str,
    rows: int,
    scale: alt.Scale,
    x_title: str,
    colors: list[str],
    marks: Mapping[str, float],
) -> alt.LayerChart:
    height = rows * STEP + GAP
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, height], reverse=True, nice=False))

    def x_of(column: str) -> alt.X:
        return alt.X(f"{column}:Q", title=x_title, scale=scale, axis=alt.Axis(tickCount=6))

    base = alt.Chart(table).encode(y=y, color=_by(alt.Color, colors, list(COLORS.values())))
    told = ["row:N", "color:N", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in COLUMNS[3:])]
    first = table.drop_duplicates("row")
    words = alt.Chart(first).mark_text(align="left", baseline="middle", fontSize=12)
    layers = [
        _marks(marks, scale, x_title),
        base.mark_rule(strokeWidth=3).encode(x=x_of("low"), x2="high:Q"),
        base.mark_point(size=70, filled=True, opacity=1).encode(
            x=x_of("estimate"), shape=_by(alt.Shape, colors, list(SHAPES)), tooltip=told
        ),
        words.encode(x=alt.value(2), y=alt.Y("place:Q", axis=None), text="row:N"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=height, title=name)


def _by(channel: type, names: list[str], values: list[str]):
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1, symbolSize=90)
    return channel("color:N", scale=alt.Scale(domain=names, range=values), legend=legend)


def _marks(marks: Mapping[str, float], scale: alt.Scale, x_title: str) -> alt.Chart:
    """Dashed upright lines; their names show under the mouse."""
    table = pd.DataFrame({"at": list(marks.values()), "name": list(marks)})
    x = alt.X("at:Q", title=x_title, scale=scale)
    return (
        alt.Chart(table)
        .mark_rule(color=INK, strokeDash=[3, 3], opacity=0.7)
        .encode(x=x, tooltip=["name:N"])
    )


def _numbers(table: pd.DataFrame, fmt: str) -> dict[str, list[str]]:
    """The rows in words."""
    cells = {"panel": "panel", "what": "row", "which": "color"}
    found = {head: table[name].astype(str).tolist() for head, name in cells.items()}
    for name in COLUMNS[3:]:
        found[name] = [shown(value, fmt) for value in table[name]]
    return found
