"""The charts of the book: the only place where one is built.

Every function takes data, a `title` and a `description` (required: it is the text alternative) and
returns an Altair chart; `show` displays it. A chart embeds at most 5,000 rows: aggregate first.
"""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd
from IPython.display import display

from lethe.pages.chart_tables import in_words, thinned
from lethe.pages.dots import dots
from lethe.pages.fronts import fronts
from lethe.pages.gallery import data_uri, image_grid
from lethe.pages.horizons import horizons
from lethe.pages.intervals import interval_chart
from lethe.pages.life_scatter import life_scatter
from lethe.pages.log_lines import log_lines
from lethe.pages.picker import life_picker
from lethe.pages.rasters import raster
from lethe.pages.render import COLORS, INK, finished, limited, shown
from lethe.pages.sliders import sliders
from lethe.pages.tally import tally_chart

__all__ = ["bars", "data_uri", "dots", "fronts", "heatmap", "histogram", "horizons", "image_grid"]
__all__ += [
    "interval_chart",
    "life_picker",
    "life_scatter",
    "lines",
    "log_lines",
    "raster",
    "scatter",
    "show",
    "sliders",
    "tally_chart",
]


BANDS = 12  # of x, in the table of a scatter


def show(chart: alt.TopLevelMixin) -> None:
    """Display a chart; its description is what a screen reader and a plain-text reader get."""
    display(chart)


def histogram(
    values: Mapping[str, np.ndarray] | np.ndarray,
    *,
    x_title: str,
    title: str,
    description: str,
    bins: int = 30,
    share: bool = True,
) -> alt.Chart:
    """Draw one outline per group of `values`; NaN is left out. `share` of the group, or counts."""
    groups = values if isinstance(values, Mapping) else {"all": values}
    groups = {name: np.asarray(group, float) for name, group in groups.items()}
    groups = {name: group[np.isfinite(group)] for name, group in groups.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(groups.values())), bins)
    table = pd.concat(_counts(name, group, edges, share) for name, group in groups.items())
    chart = alt.Chart(limited(table))
    mark = chart.mark_area(interpolate="step-after", line=True, fillOpacity=0.25)
    tooltip = [alt.Tooltip(f"{c}:Q", format=".3g") for c in ("from", "to", "height")]
    chart = mark.encode(
        x=alt.X("from:Q", title=x_title),
        y=alt.Y("height:Q", stack=None, title="share of samples" if share else "samples"),
        color=alt.Color("group:N", legend=_legend(len(groups) > 1), sort=list(groups)),
        tooltip=["group:N", *tooltip],
    )
    kind = "share" if share else "samples"
    heads = {name: f"{kind}: {name}" if len(groups) > 1 else kind for name in groups}
    cells = {"from": edges[:-1], "to": edges[1:]}
    cells |= {heads[name]: _heights(group, edges, share) for name, group in groups.items()}
    words = {name: [in_words(float(v)) for v in column] for name, column in cells.items()}
    return finished(chart, title, description, height=260, table=words)


def _heights(group: np.ndarray, edges: np.ndarray, share: bool) -> np.ndarray:
    counts = np.histogram(group, edges)[0].astype(float)
    return counts / max(len(group), 1) if share else counts


def _counts(name: str, group: np.ndarray, edges: np.ndarray, share: bool) -> pd.DataFrame:
    """Bin heights with a closing zero, so that the outline ends at the last edge."""
    closed = np.append(_heights(group, edges, share), 0.0)
    upper = np.append(edges[1:], edges[-1])
    return pd.DataFrame({"group": name, "from": edges, "to": upper, "height": closed})


def heatmap(
    matrix: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    description: str,
    scale_title: str,
    domain: tuple[float, float] | None = None,
    fmt: str = ".2f",
) -> alt.LayerChart:
    """Draw `matrix` [row, column]; up to 16 columns show their numbers too. NaN is empty."""
    matrix = np.asarray(matrix, float)
    low, high = domain or (float(np.nanmin(matrix)), float(np.nanmax(matrix)))
    row, column = np.indices(matrix.shape)
    table = pd.DataFrame({"value": matrix.ravel(), "row": np.array(list(rows), str)[row.ravel()]})
    table["column"] = np.array(list(columns), str)[column.ravel()]
    base = alt.Chart(limited(table.dropna())).encode(
        x=alt.X("column:O", title=None, sort=list(map(str, columns)), axis=_slanted(columns)),
        y=alt.Y("row:O", title=None, sort=list(map(str, rows)), axis=alt.Axis(labelLimit=320)),
    )
    scale = alt.Scale(domain=[low, high], scheme="viridis", clamp=True)
    legend = alt.Legend(title=scale_title, orient="top", gradientLength=220, titleLimit=400)
    tooltip = ["row:N", "column:N", alt.Tooltip("value:Q", format=".3f")]
    cells = base.mark_rect().encode(
        color=alt.Color("value:Q", scale=scale, legend=legend), tooltip=tooltip
    )
    ink = alt.condition(f"datum.value > {(low + high) / 2}", alt.value("black"), alt.value("white"))
    numbers = base.mark_text(fontSize=11).encode(text=alt.Text("value:Q", format=fmt), color=ink)
    chart = alt.layer(cells, numbers) if matrix.shape[1] <= 16 else alt.layer(cells)
    height = min(max(26 * len(matrix), 60), 520)
    told = _matrix(matrix, rows, columns, fmt) if matrix.shape[1] <= 16 else _largest(table)
    return finished(chart, title, description, height, *told)


def _matrix(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str], fmt: str
) -> tuple[dict[str, list[str]], str]:
    """A matrix in words, and which rows they are."""
    kept, note = thinned(pd.DataFrame(matrix, list(map(str, rows)), list(map(str, columns))))
    cells = {name: [shown(value, fmt) for value in kept[name]] for name in kept}
    return {"row": list(kept.index)} | cells, note


def _largest(table: pd.DataFrame, count: int = 40) -> tuple[dict[str, list[str]], str]:
    """The largest cells of a matrix that is too wide to be read out."""
    kept = table.dropna().nlargest(count, "value")
    words = {name: kept[name].tolist() for name in ("row", "column")}
    cells = words | {"value": [in_words(value) for value in kept["value"].tolist()]}
    return cells, f"The {len(kept)} largest of {len(table):,} cells."


def lines(
    table: pd.DataFrame,
    x: str,
    y: str,
    color: str | None = None,
    band: tuple[str, str] | None = None,
    *,
    title: str,
    description: str,
    x_title: str | None = None,
    y_title: str | None = None,
) -> alt.LayerChart:
    """Draw column `y` over column `x`, one line per `color`, with a `band` of two columns.

    An axis of whole numbers has no ticks between them.
    """
    whole = pd.api.types.is_integer_dtype(table[x])
    axis = alt.Axis(tickMinStep=1, format="d") if whole else alt.Axis()
    base = alt.Chart(limited(table)).encode(x=alt.X(f"{x}:Q", title=x_title or x, axis=axis))
    if color:
        names = list(dict.fromkeys(table[color]))
        base = base.encode(color=alt.Color(f"{color}:N", legend=_legend(), sort=names))
    height = alt.Y(f"{y}:Q", title=y_title or y, scale=alt.Scale(zero=False))
    columns = [name for name in (color, x, y) if name]
    line = base.mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18)).encode(
        y=height, tooltip=columns
    )
    if band is None:
        return finished(alt.layer(line), title, description, height=280)
    low, high = (alt.Y(f"{band[0]}:Q", title=y_title or y), alt.Y2(f"{band[1]}:Q"))
    shade = base.mark_area(opacity=0.2).encode(y=low, y2=high)
    return finished(alt.layer(shade, line), title, description, height=280)


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    *,
    x_title: str,
    y_title: str,
    title: str,
    description: str,
    bins: int = 40,
    unit: str = "samples",
) -> alt.Chart:
    """Draw pairs (x, y) on a grid: the area of a dot is how many `unit` lie in its cell."""
    x, y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
    keep = np.isfinite(x) & np.isfinite(y)
    counts, x_edges, y_edges = np.histogram2d(x[keep], y[keep], bins)
    i, j = np.nonzero(counts)
    centre = (x_edges[i] + x_edges[i + 1]) / 2, (y_edges[j] + y_edges[j + 1]) / 2
    table = pd.DataFrame({"x": centre[0], "y": centre[1], "samples": counts[i, j]}).round(5)
    size = alt.Scale(type="sqrt", range=[4, 220])
    dots = alt.Chart(limited(table)).mark_circle(color=COLORS["blue"], opacity=0.75)
    chart = dots.encode(
        x=alt.X("x:Q", title=x_title, scale=alt.Scale(zero=False)),
        y=alt.Y("y:Q", title=y_title, scale=alt.Scale(zero=False)),
        size=alt.Size("samples:Q", title=unit, scale=size, legend=_counts_legend(counts)),
        tooltip=["samples:Q", "x:Q", "y:Q"],
    )
    told = _bands(x[keep], y[keep], x_title, y_title, unit)
    return finished(chart, title, description, 340, told, f"In up to {BANDS} bands of {x_title}.")


def _bands(
    x: np.ndarray, y: np.ndarray, x_title: str, y_title: str, unit: str
) -> dict[str, list[str]]:
    """How y is spread in each band of x, in words; empty bands are left out."""
    edges = np.histogram_bin_edges(x, BANDS)
    band = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, BANDS - 1)
    spread = pd.Series(y).groupby(band).agg(["size", "mean", "min", "max"])
    cells = {f"{x_title}, from": edges[spread.index], "to": edges[spread.index + 1]}
    cells |= {unit: spread["size"], f"{y_title}, mean": spread["mean"]}
    cells |= {"lowest": spread["min"], "highest": spread["max"]}
    return {name: [in_words(float(v)) for v in column] for name, column in cells.items()}


def _counts_legend(counts: np.ndarray) -> alt.Legend | None:
    """A legend of whole numbers for the sizes of the dots; none where all are the same."""
    if counts.max() <= 1:
        return None
    values = np.unique(np.geomspace(1, counts.max(), 4).round())
    return alt.Legend(orient="top", values=[int(v) for v in values])


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    x_title: str,
    title: str,
    description: str,
    fmt: str = ".2f",
) -> alt.LayerChart:
    """Draw one horizontal bar per label in the order given, its value written at its end."""
    table = pd.DataFrame({"label": [str(label) for label in labels], "value": values})
    least, most = min(0.0, *values), max(0.0, *values)
    ends = [1.08 * least, 1.08 * most if most > least else 1.0]  # room for the numbers
    base = alt.Chart(limited(table)).encode(
        x=alt.X("value:Q", title=x_title, scale=alt.Scale(domain=ends, nice=False)),
        y=alt.Y("label:N", sort=table["label"].tolist(), title=None),
    )
    side = alt.ExprRef("datum.value < 0 ? 'right' : 'left'")
    gap = alt.ExprRef("datum.value < 0 ? -4 : 4")
    numbers = base.mark_text(align=side, dx=gap, color=INK).encode(
        text=alt.Text("value:Q", format=fmt)
    )
    chart = alt.layer(base.mark_bar(color=COLORS["blue"]), numbers)
    cells = {"what": table["label"].tolist(), x_title: [f"{v:{fmt}}" for v in table["value"]]}
    return finished(chart, title, description, height=max(22 * len(table), 60), table=cells)


def _slanted(names: Sequence[str]) -> alt.Axis:
    """Level labels where they are short, slanted ones where they would overlap."""
    short = sum(len(str(name)) for name in names) < 60
    return alt.Axis(labelAngle=0 if short else -40)


def _legend(shown: bool = True) -> alt.Legend | None:
    return alt.Legend(title=None, orient="top", symbolOpacity=1) if shown else None
