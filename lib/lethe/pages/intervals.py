"""The interval chart: an estimate never stands alone.

Beside every estimate stand its interval, what chance gives (null), the most that could be reached
(ceiling) and the figure the paper reports (book, "How to read the numbers").
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lethe.pages.render import COLORS, GREY, INK, finished, limited, shown

KINDS = ["our estimate and its interval", "chance (null)", "ceiling", "reported in the paper"]
STROKES = [COLORS["blue"], GREY, COLORS["green"], INK]
FILLS = [COLORS["blue"], GREY, COLORS["green"], "transparent"]
SHAPES = ["circle", "square", "square", "diamond"]
WORDS = alt.ExprRef("width < 440 ? datum.label : datum.words")  # a phone shows no numbers
LEGEND = alt.Legend(title=None, orient="bottom", columns=2, symbolSize=110)


def interval_chart(
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str,
    description: str,
    x_title: str,
    domain: tuple[float, float] | None = None,
    fmt: str | None = None,
) -> alt.LayerChart:
    """Draw estimates with their interval, the band of chance, the ceiling and the paper's figure.

    Each row has `label` and `estimate`, and may have `low`, `high`, `null`, `ceiling`, `paper` (a
    number or a pair) and `fmt` (".2f"; the argument goes first). The label stands above its
    interval, so it also reads on a phone.
    """
    table = _rows(rows, fmt)
    height = 46 * len(table)
    scale = alt.Scale(domain=list(domain) if domain else alt.Undefined, zero=False, nice=True)

    def x(column: str) -> alt.X:
        return alt.X(f"{column}:Q", title=x_title, scale=scale, axis=alt.Axis(tickCount=6))

    base = alt.Chart(limited(table)).encode(y=alt.Y("row:O", axis=None))
    layers = [
        _band(base, "null", GREY, x),
        _band(base, "ceiling", COLORS["green"], x),
        base.mark_rule(strokeWidth=4, color=COLORS["blue"], yOffset=8).encode(
            x=x("low"), x2="high:Q"
        ),
        _points(table, x),
        base.mark_text(align="left", dy=-12, text=WORDS).encode(x=alt.value(0)),
    ]
    return finished(alt.layer(*layers), title, description, height, _table(table))


def _rows(rows: Sequence[Mapping[str, Any]], fmt: str | None) -> pd.DataFrame:
    """One row per estimate, with a pair of columns for each band."""
    table = pd.DataFrame([{"label": r["label"], "estimate": r["estimate"]} for r in rows])
    table["row"] = np.arange(len(table))
    for name in ("low", "high"):
        table[name] = [_number(r.get(name)) for r in rows]
    for name in ("null", "ceiling", "paper"):
        pairs = [_pair(r.get(name)) for r in rows]
        table[f"{name}_low"], table[f"{name}_high"] = zip(*pairs, strict=True)
    table["fmt"] = [fmt or r.get("fmt") or ".2f" for r in rows]
    table["words"] = [_words(r) for r in table.to_dict("records")]
    return table


def _words(row: Mapping[str, Any]) -> str:
    estimate, low, high = (shown(row[key], row["fmt"]) for key in ("estimate", "low", "high"))
    text = f"{row['label']}: {estimate}"
    return text if np.isnan(row["low"]) else f"{text} [{low}, {high}]"


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _pair(value: float | Sequence[float] | None) -> tuple[float, float]:
    if value is None or isinstance(value, int | float):
        return _number(value), _number(value)
    return float(value[0]), float(value[-1])


def _band(base: alt.Chart, name: str, color: str, x: Callable[[str], alt.X]) -> alt.Chart:
    """A translucent bar from `name`_low to `name`_high, with an edge so that a bare value shows."""
    mark = base.mark_bar(
        size=18, color=color, fillOpacity=0.3, stroke=color, strokeWidth=2, yOffset=8
    )
    return mark.encode(x=x(f"{name}_low"), x2=f"{name}_high:Q").transform_filter(
        f"isValid(datum.{name}_low)"
    )


def _points(table: pd.DataFrame, x: Callable[[str], alt.X]) -> alt.Chart:
    """The estimates and the paper's figures, with the legend of all kinds that occur."""
    columns = dict(zip(KINDS, ["estimate", "null_low", "ceiling_low", "paper_low"], strict=True))
    present = [kind for kind, column in columns.items() if table[column].notna().any()]
    long = pd.concat(
        table[["row", "label"]].assign(kind=kind, value=table[column])
        for kind, column in (
            (KINDS[0], "estimate"),
            (KINDS[3], "paper_low"),
            (KINDS[3], "paper_high"),
        )
    ).drop_duplicates()
    points = alt.Chart(long.dropna()).mark_point(size=110, strokeWidth=2, yOffset=8, opacity=1)
    return points.encode(
        x=x("value"),
        y=alt.Y("row:O", axis=None),
        stroke=alt.Stroke("kind:N", scale=_scale(present, STROKES), legend=LEGEND),
        fill=alt.Fill("kind:N", scale=_scale(present, FILLS), legend=LEGEND),
        shape=alt.Shape("kind:N", scale=_scale(present, SHAPES), legend=LEGEND),
        tooltip=["label:N", "kind:N", alt.Tooltip("value:Q", format=".3f")],
    )


def _scale(present: list[str], values: list[str]) -> alt.Scale:
    by_kind = dict(zip(KINDS, values, strict=True))
    return alt.Scale(domain=present, range=[by_kind[kind] for kind in present])


def _table(table: pd.DataFrame) -> dict[str, list[str]]:
    columns = {
        "estimate": ["estimate"],
        "interval": ["low", "high"],
        "paper": ["paper_low", "paper_high"],
    }
    columns |= {"chance": ["null_low", "null_high"], "ceiling": ["ceiling_low", "ceiling_high"]}
    cells = {name: _cells(table, pair) for name, pair in columns.items()}
    return {"what": table["label"].tolist()} | cells


def _cells(table: pd.DataFrame, columns: list[str]) -> list[str]:
    """A value or a pair in words, row by row."""
    rows = zip(table[columns].to_numpy(), table["fmt"], strict=True)
    return [" to ".join(dict.fromkeys(shown(value, fmt) for value in row)) for row, fmt in rows]
