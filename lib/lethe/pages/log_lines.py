"""Lines on logarithmic axes: how fast something decays, and the closed forms and bounds beside it.

A power law is straight on two logarithmic axes, an exponential on one. Measured arms are solid;
formulas drawn beside them (`dashed`) are dashed. An arm picked in the legend or list dims the
others.
"""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lethe.errors import LetheError, nearest
from lethe.pages.picks import arm_picker
from lethe.pages.render import COLORS, GREY, INK, finished, limited

SHADES = [*COLORS.values(), GREY, INK]


def log_lines(
    table: pd.DataFrame,
    x: str,
    y: str,
    arm: str = "arm",
    *,
    title: str,
    description: str,
    x_title: str,
    y_title: str,
    log: str = "xy",
    dashed: Sequence[str] = (),
) -> alt.Chart:
    """Draw column `y` over `x`, a line an `arm`; `log` names the logarithmic axes (x, y or xy).

    Raises LetheError for an absent column, an unknown `dashed` arm, a value of 0 or less on a
    logarithmic axis, more than 6 arms or more than 5,000 rows.
    """
    _check(table, x, y, arm, log, dashed)
    names = list(dict.fromkeys(table[arm]))
    params, picked = arm_picker(arm, names)
    legend = alt.Legend(title=None, orient="bottom", columns=3, symbolOpacity=1, symbolSize=200)
    colors = alt.Scale(domain=names, range=SHADES[: len(names)])
    strokes = alt.Scale(domain=names, range=[[6, 4] if n in dashed else [1, 0] for n in names])
    told = [alt.Tooltip(f"{c}:Q", title=w, format=".4~g") for c, w in ((x, x_title), (y, y_title))]
    mark = alt.Chart(limited(table[[x, y, arm]])).mark_line(strokeWidth=2.5)
    chart = mark.encode(
        x=alt.X(
            f"{x}:Q", title=x_title, scale=_scale("x" in log, nice=False), axis=_axis("x" in log)
        ),
        y=alt.Y(f"{y}:Q", title=y_title, scale=_scale("y" in log), axis=_axis("y" in log)),
        color=alt.Color(f"{arm}:N", scale=colors, legend=legend),
        strokeDash=alt.StrokeDash(f"{arm}:N", scale=strokes, legend=legend),
        opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
        tooltip=[f"{arm}:N", *told],
    )
    return finished(chart.add_params(*params), title, description, 320)


def _check(table: pd.DataFrame, x: str, y: str, arm: str, log: str, dashed: Sequence[str]) -> None:
    for name in {x, y, arm} - set(table.columns):
        raise LetheError(f"no column {name!r} for the lines: {nearest(name, table.columns)}")
    for name in set(dashed) - set(table[arm]):
        raise LetheError(f"no arm {name!r} to dash: {nearest(name, table[arm].unique())}")
    if table[arm].nunique() > len(SHADES):
        raise LetheError(f"{table[arm].nunique()} lines in a chart: the limit is {len(SHADES)}")
    for axis, name in (("x", x), ("y", y)):
        if axis in log and not (table[name] > 0).all():
            raise LetheError(f"{name} holds values of 0 or less: no logarithm shows them")


def _scale(log: bool, nice: bool = True) -> alt.Scale:
    return alt.Scale(type="log", nice=nice) if log else alt.Scale(zero=False, nice=True)


def _axis(log: bool) -> alt.Axis:
    return alt.Axis(format="~g", tickCount=6) if log else alt.Axis()
