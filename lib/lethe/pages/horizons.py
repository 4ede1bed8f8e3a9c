"""Effects against the number of steps since a change: from 0 to hundreds, over orders of magnitude.

The steps have a logarithmic axis that includes 0, and so have the effects: what lies below `least`
is drawn at `least`, the floor. An arm picked in the legend or list dims the others.
"""

import altair as alt
import pandas as pd

from lethe.errors import LetheError
from lethe.pages.chart_tables import in_words, thinned
from lethe.pages.picks import arm_picker
from lethe.pages.render import COLORS, GREY, INK, finished, limited

SHADES = [*COLORS.values(), "#8C6D1F", "#C23B75", GREY]
TICKS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


def horizons(
    table: pd.DataFrame,
    *,
    title: str,
    description: str,
    y_title: str,
    dashed: str = "",
    least: float = 1e-4,
) -> alt.LayerChart:
    """Draw columns mean, low and high over horizon, a line an `arm`; the arm `dashed` is the
    reference.

    Raises LetheError for more than 7 arms, a missing column or more than 5,000 rows.
    """
    missing = {"arm", "horizon", "mean", "low", "high"} - set(table.columns)
    names = list(dict.fromkeys(table["arm"]))
    if missing or len(names) > len(SHADES):
        raise LetheError(f"horizons draws up to 7 arms by mean, low and high: {missing or names}")
    shown = table.assign(
        **{f"at_{name}": table[name].clip(lower=least) for name in ("mean", "low", "high")}
    )
    params, picked = arm_picker("arm", names)
    colors = [INK if n == dashed else SHADES[k] for k, n in enumerate(names)]
    legend = alt.Legend(title=None, orient="bottom", columns=3, symbolOpacity=1, symbolSize=200)
    last = int(table["horizon"].max())
    ticks = [t for t in TICKS if t <= last]
    base = alt.Chart(limited(shown)).encode(
        x=alt.X(
            "horizon:Q",
            title="steps since the change",
            scale=alt.Scale(type="symlog", constant=1),
            axis=alt.Axis(values=ticks, format="d"),
        ),
        color=alt.Color("arm:N", scale=alt.Scale(domain=names, range=colors), legend=legend),
    )
    height = alt.Scale(type="log", domainMin=least)
    axis = alt.Axis(format="~g", tickCount=5)
    shade = base.mark_area().encode(
        y=alt.Y("at_low:Q", scale=height, axis=axis, title=y_title),
        y2="at_high:Q",
        opacity=alt.condition(picked, alt.value(0.18), alt.value(0.02)),
    )
    dashes = alt.Scale(domain=names, range=[[6, 4] if n == dashed else [1, 0] for n in names])
    told = [alt.Tooltip(f"{c}:Q", format=".4~g") for c in ("mean", "low", "high")]
    line = base.mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=30)).encode(
        y=alt.Y("at_mean:Q", scale=height, axis=axis, title=y_title),
        strokeDash=alt.StrokeDash("arm:N", scale=dashes, legend=legend),
        opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
        tooltip=["arm:N", "horizon:Q", *told],
    )
    chart = alt.layer(shade, line.add_params(*params))
    kept, note = thinned(table)
    heads = {"arm": "arm", "horizon": "steps since the change", "mean": f"{y_title}, mean"}
    heads |= {"low": "low", "high": "high"}
    cells = {head: [in_words(v) for v in kept[name].tolist()] for name, head in heads.items()}
    return finished(chart, title, description, 340, cells, note)
