"""The chart of dots: the same rows in several panels, an estimate and its interval for each colour.

The words of a row stand above its dots, so that every panel can be read alone: panels are side by
side, and below each other where the page is narrow. A colour is told apart by shape as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from lethe.errors import LetheError, nearest
from lethe.pages.render import COLORS, INK, Layers, described, limited, shown

COLUMNS = ("row", "panel", "color", "estimate", "low", "high")
WIDTH, WORDS, GAP = 285, 22, 10  # pixels: a panel, the words of a row, from dot to dot
SHAPES = ("circle", "square", "diamond", "triangle-up")


@dataclass(frozen=True)
class Axes:
    """What all panels share; height in pixels."""

    x: alt.Scale
    x_title: str
    colors: Sequence[str]
    height: int

    def at(self, column: str) -> alt.X:
        """A column on the x axis."""
        axis = alt.Axis(tickCount=6, grid=False)
        return alt.X(f"{column}:Q", title=self.x_title, scale=self.x, axis=axis)

    def down(self, column: str) -> alt.Y:
        """A column in pixels from the top."""
        scale = alt.Scale(domain=[0, self.height], reverse=True, nice=False, zero=False)
        return alt.Y(f"{column}:Q", axis=None, scale=scale)

    def by(self, channel: Callable[..., Any], values: Sequence[str]) -> Any:
        """Colour or shape by the column `color`."""
        legend = alt.Legend(title=None, orient="top", symbolOpacity=1, symbolSize=90)
        scale = alt.Scale(domain=list(self.colors), range=list(values)[: len(self.colors)])
        return channel("color:N", scale=scale, legend=legend)


def dots(
    table: pd.DataFrame,
    *,
    title: str,
    description: str,
    x_title: str,
    marks: Sequence[float] = (),
    domain: tuple[float, float] | None = None,
    fmt: str = ".2f",
) -> alt.HConcatChart:
    """Draw a dot with its interval for every row of a table with the columns COLUMNS.

    Rows, panels and colours keep the order of the table; `marks` are values of x to draw a line at;
    what lies outside `domain` is cut off. Raises LetheError for an absent column and for more than
    four colours.
    """
    for name in set(COLUMNS) - set(table.columns):
        raise LetheError(f"no column {name!r} for the dots: {nearest(name, table.columns)}")
    colors, rows = (list(dict.fromkeys(table[name])) for name in ("color", "row"))
    if len(colors) > len(SHAPES):
        raise LetheError(f"{len(colors)} colours in a chart of dots: the limit is {len(SHAPES)}")
    placed = _placed(limited(table[list(COLUMNS)]), rows, colors)
    spread = placed[["low", "estimate", "high"]]
    ends = domain or (spread.min(axis=None), spread.max(axis=None))
    scale = alt.Scale(domain=[float(end) for end in ends], nice=domain is None, zero=False)
    axes = Axes(scale, x_title, colors, int(placed["foot"].max()) + GAP)
    names = list(dict.fromkeys(table["panel"]))
    panels = [_panel(placed[placed["panel"] == name], name, axes, marks) for name in names]
    chart = alt.hconcat(*panels, spacing=24).resolve_scale(color="shared", shape="shared")
    told = {"table": _numbers(placed, fmt)}
    return described(chart, title, description).properties(usermeta=told)


def _placed(table: pd.DataFrame, rows: Sequence[str], colors: Sequence[str]) -> pd.DataFrame:
    """The rows with their places in pixels from the top: words, dot, and where the dots end."""
    step = WORDS + GAP * len(colors)
    top = table["row"].map(rows.index) * step
    dot = top + WORDS + (table["color"].map(colors.index) + 0.5) * GAP
    return table.assign(words=top + WORDS / 2, y=dot, first=top + WORDS, foot=top + step)


def _panel(table: pd.DataFrame, name: str, axes: Axes, marks: Sequence[float]) -> Layers:
    base = alt.Chart(table).encode(
        y=axes.down("y"), color=axes.by(alt.Color, list(COLORS.values()))
    )
    told = ["row:N", "color:N", *(alt.Tooltip(f"{c}:Q", format=".3f") for c in COLUMNS[3:])]
    words = alt.Chart(table.drop_duplicates("row")).mark_text(align="left", baseline="middle")
    layers = [
        _marks(table, axes, marks),
        base.mark_rule(strokeWidth=3, clip=True).encode(x=axes.at("low"), x2="high:Q"),
        base.mark_point(size=70, filled=True, opacity=1, clip=True).encode(
            x=axes.at("estimate"), shape=axes.by(alt.Shape, SHAPES), tooltip=told
        ),
        words.encode(x=alt.value(2), y=axes.down("words"), text="row:N"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=axes.height, title=name)


def _marks(table: pd.DataFrame, axes: Axes, marks: Sequence[float]) -> alt.Chart:
    """Upright lines beside the dots of every row, so that they do not cross the words."""
    rows = table.drop_duplicates("row")[["first", "foot"]]
    drawn = rows.merge(pd.DataFrame({"at": list(marks)}, dtype=float), how="cross")
    line = alt.Chart(drawn).mark_rule(color=INK, strokeDash=[3, 3], opacity=0.7)
    return line.encode(x=axes.at("at"), y=axes.down("first"), y2="foot:Q")


def _numbers(table: pd.DataFrame, fmt: str) -> dict[str, list[str]]:
    """The rows in words."""
    cells = {"panel": "panel", "what": "row", "which": "color"}
    found = {head: table[name].astype(str).tolist() for head, name in cells.items()}
    return found | {n: [shown(value, fmt) for value in table[n]] for n in COLUMNS[3:]}
