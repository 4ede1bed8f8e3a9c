"""Fit a forgetting curve by hand: pick a trace, move the rate, watch the sum of squares.

The curve and its sum of squares are computed in the browser, so the chart holds only the traces
and their fitted rates (book, page "Forgetting curves").
"""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from lethe.errors import LetheError
from lethe.pages.render import COLORS, GREY, finished, limited


def curve_explorer(
    traces: Mapping[str, np.ndarray],
    rates: Mapping[str, float],
    *,
    title: str,
    description: str,
    start_rate: float = 0.3,
) -> alt.LayerChart:
    """Draw one retention trace at a time with its fitted exponential and one moved by a slider.

    `traces` maps a name to R(t) [epoch], NaN after the end; `rates` maps it to the fitted rate.
    """
    if set(traces) != set(rates):
        raise LetheError("every trace needs a fitted rate, and the other way round")
    names = list(traces)
    choice = alt.binding_select(options=names, name="trace ")
    picked = alt.param("trace", value=names[0], bind=choice)
    slider = alt.binding_range(min=0, max=2, step=0.01, name="rate per epoch ")
    rate = alt.param("rate", value=start_rate, bind=slider)
    base = alt.Chart(limited(_table(traces, rates))).transform_filter("datum.name == trace")
    base = base.transform_calculate(
        fit="exp(-datum.best * datum.t)",
        hand="exp(-rate * datum.t)",
        miss="datum.right - datum.hand",
    )
    layers = [
        _curve(base, "fit", COLORS["blue"], []),
        _curve(base, "hand", COLORS["orange"], [5, 4]),
        base.mark_circle(size=55, color=GREY, opacity=1).encode(
            x=_x(), y=_y("right"), tooltip=["t:Q", "right:Q"]
        ),
        _words(base),
    ]
    chart = alt.layer(*layers).add_params(picked, rate)
    return finished(chart, title, description, 260, _numbers(traces, rates))


def _numbers(traces: Mapping[str, np.ndarray], rates: Mapping[str, float]) -> dict[str, list[str]]:
    """Each trace in words: how long it is, how often it is right, and its fitted rate."""
    right = {name: np.asarray(trace, float) for name, trace in traces.items()}
    return {
        "trace": list(right),
        "epochs": [str(np.isfinite(trace).sum()) for trace in right.values()],
        "share right": [f"{np.nanmean(trace):.0%}" for trace in right.values()],
        "fitted rate per epoch": [f"{rates[name]:.3g}" for name in right],
    }


def _table(traces: Mapping[str, np.ndarray], rates: Mapping[str, float]) -> pd.DataFrame:
    parts = []
    for name, trace in traces.items():
        right = np.asarray(trace, float)
        t = np.flatnonzero(~np.isnan(right))
        parts.append(pd.DataFrame({"name": name, "t": t, "right": right[t], "best": rates[name]}))
    return pd.concat(parts).round(5)


def _x() -> alt.X:
    return alt.X("t:Q", title="t, epochs since first learned")


def _y(column: str) -> alt.Y:
    scale = alt.Scale(domain=[-0.05, 1.3])
    axis = alt.Axis(values=[0, 0.5, 1])
    return alt.Y(f"{column}:Q", title="right (1) or wrong (0), and R(t)", scale=scale, axis=axis)


def _curve(base: alt.Chart, column: str, color: str, dash: list[int]) -> alt.Chart:
    return base.mark_line(color=color, strokeWidth=2.5, strokeDash=dash).encode(
        x=_x(), y=_y(column)
    )


def _words(base: alt.Chart) -> alt.Chart:
    """The two rates and their sums of squares, along the top of the chart."""
    summed = base.transform_calculate(
        off_hand="datum.miss * datum.miss", off_fit="pow(datum.right - datum.fit, 2)"
    ).transform_aggregate(
        hand="sum(off_hand)", fit="sum(off_fit)", best="max(best)", groupby=["name"]
    )
    fitted = "'line: fitted rate ' + format(datum.best, '.3f') + squares + format(datum.fit, '.2f')"
    by_hand = "'dashed: rate by hand ' + format(rate, '.2f') + squares + format(datum.hand, '.2f')"
    words = f"{fitted} + '\\n' + {by_hand}".replace("squares", "', sum of squares '")
    text = summed.transform_calculate(words=words)
    return text.mark_text(align="left", lineBreak="\n").encode(
        x=alt.value(6), y=alt.value(8), text=alt.Text("words:N")
    )
