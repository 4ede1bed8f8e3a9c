"""The one chart renderer: each output carries HTML, PNG and text, and the book needs no network.

In the book (environment variable LETHE_BOOK, set by `lethe.pages.build`) the HTML draws with the
local `_static/vega-bundle.js`; in JupyterLab see `lab`; elsewhere it is Altair's own HTML. Text and
lines take the colour of the page, so a chart follows the light and the dark theme without a redraw.
Cost: about 0.3 s a chart, most of it the PNG.
"""

import copy
import json
import math
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from lethe.errors import LetheError
from lethe.pages import lab

try:
    import vl_convert
except ModuleNotFoundError:  # it has no build for a browser: there a chart has no PNG
    vl_convert = None  # type: ignore[assignment]  # a module that is not there
from lethe.pages.chart_tables import table_html, tables

COLORS = {"blue": "#1F74BF", "orange": "#D55E00", "green": "#17A37F", "purple": "#A8589A"}
"""Contrast of 3:1 on white and on the dark page, and distinct under colour blindness (tested)."""

GREY = "#7F8790"
INK = "currentColor"
MAX_ROWS = 5_000
LETTERS = 46  # in a line of an axis title: what a phone has room for
PNG_WIDTH = 620  # pixels, for charts that take the width of the page

Layers = alt.LayerChart | alt.FacetChart  # what Altair says that a layered chart is

_OPTIONS = '{"renderer":"svg","actions":false}'
_STACK = (
    "if (box.clientWidth < 560 && spec.hconcat) {spec.vconcat = spec.hconcat; delete spec.hconcat;}"
)
_DRAWN = 'function () {box.dispatchEvent(new Event("drawn", {bubbles: true}));}'  # see lethe.js
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"


@alt.theme.register("lethe", enable=True)
def theme() -> alt.theme.ThemeConfig:
    """Vega-Lite settings shared by all charts: transparent, ink in the colour of the text."""
    axis: dict[str, Any] = {"labelColor": INK, "titleColor": INK, "gridColor": INK}
    axis |= {"domainColor": INK, "tickColor": INK, "gridOpacity": 0.12, "domainOpacity": 0.5}
    axis |= {
        "tickOpacity": 0.5,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    title: dict[str, Any] = {"color": INK, "subtitleColor": INK, "anchor": "start"}
    title |= {"frame": "group", "fontSize": 14, "subtitleFontSize": 12, "offset": 12}
    names = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12}
    view = {"stroke": None}
    config: Any = {"background": "transparent", "font": _FONT, "view": view, "axis": axis}
    config |= {"title": title, "legend": names | {"labelLimit": 400}, "header": names}
    config |= {"text": {"color": INK, "fontSize": 12}, "rule": {"color": INK}}
    config |= {"range": {"category": list(COLORS.values())}}
    config |= {"mark": {"aria": False}}  # thousands of marks say less than the table below them
    return {"config": config}


def shown(value: float, fmt: str) -> str:
    """Return a number in words: `none` for NaN, and no sign before zero."""
    words = "none" if math.isnan(value) else f"{value:{fmt}}"
    return words if words.strip("+-0.%") else words.lstrip("+-")


def limited(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows`, or refuse when a chart would embed more than 5,000 of them."""
    if len(rows) > MAX_ROWS:
        raise LetheError(f"a chart of {len(rows)} rows: the limit is {MAX_ROWS}, aggregate first")
    return rows


def described(chart: Any, title: str, description: str) -> Any:
    """Give a chart its title and its text alternative, which is required; return the chart."""
    if not description.strip():
        raise LetheError(f"the chart {title!r} has no description: say in words what it shows")
    return chart.properties(title=textwrap.wrap(title, 70), description=description)


def finished(
    chart: Any,
    title: str,
    description: str,
    height: int = 300,
    table: Mapping[str, Sequence[str]] | None = None,
    note: str = "",
) -> Any:
    """Describe a chart, let it take the width of the page, and attach the table of its numbers.

    `note` says which rows the table has. Without a table, one is made of the data that is drawn.
    """
    chart = described(chart, title, description).properties(height=height, width="container")
    return chart.properties(usermeta={"table": table, "note": note}) if table else chart


def in_book() -> bool:
    """Return whether the page is built for the book, which brings its own Vega bundle."""
    return bool(os.environ.get("LETHE_BOOK"))


def bundle_script() -> str:
    """Return Vega, Vega-Lite and vegaEmbed as one script (0.9 MB) for pages that must work offline.

    Wrapped in a function: the bundle's own names clash with those of Sphinx's scripts.
    """
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f"(function () {{\n{code}\n}})();\n"


def write_bundle(path: Path) -> Path:
    """Write `bundle_script()` to `path` and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bundle_script(), encoding="utf-8")
    return path


def for_paper(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the specification for a picture: black ink on white, a width in pixels."""
    spec = json.loads(json.dumps(spec).replace(INK, "#222222"))
    spec["background"] = "white"
    spec["padding"] = 12
    if spec.get("width") == "container":
        spec["width"] = PNG_WIDTH
        spec.pop("autosize", None)
    return spec


def book_html(spec: dict[str, Any], steps: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return title, `div` and the script that draws in it; no id, so equal charts are equal text.

    The title is HTML, so that it wraps; charts side by side are stacked where the page is narrow.
    `steps` maps the words on a slider to what each of its positions is called (`lethe.js`).
    """
    spec = copy.deepcopy(spec)
    title = escape(" ".join(spec.pop("title", [])))
    code = json.dumps(spec, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")
    told = f' data-steps="{escape(json.dumps(steps, ensure_ascii=False))}"' if steps else ""
    return (
        f'<p class="lethe-title">{title}</p>\n<div class="lethe-chart"{told}></div>\n<script>'
        f"(function (box, spec) {{{_STACK}vegaEmbed(box, spec, {_OPTIONS}).then({_DRAWN});}})"
        f"(document.currentScript.previousElementSibling,{code});</script>"
    )


def elsewhere_html(spec: dict[str, Any]) -> str:
    """Return Altair's own HTML, in which no text of the data can end the script."""
    hidden = json.loads(json.dumps(spec).replace("<", "\\ue000"))  # a character that no text uses
    return _html(hidden)["text/html"].replace("\\ue000", "\\u003c")


def wrap_titles(part: Any) -> None:
    """Put the axis titles of a specification in lines, in place, so that a phone shows them."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    for one in inner:
        wrap_titles(one)
    for channel in (part.get("x"), part.get("y")) if isinstance(part, dict) else ():
        if isinstance(channel, dict) and isinstance(channel.get("title"), str):
            channel["title"] = textwrap.wrap(channel["title"], LETTERS) or ""


def mimebundle(spec: dict[str, Any], **_: Any) -> dict[str, str | bytes]:
    """Return the three forms of a chart: text/html, image/png and text/plain (its description)."""
    spec = copy.deepcopy(spec)
    more = spec.pop("usermeta", {})
    wrap_titles(spec)
    if in_book():
        html = book_html(spec, more.get("steps"))
    elif vl_convert and lab.running()[0]:
        html = lab.vega(bundle_script) + book_html(spec, more.get("steps"))
    else:
        html = elsewhere_html(spec)
    shown = [(more["table"], more.get("note", ""))] if more.get("table") else tables(spec)
    html += "\n" + table_html(shown)
    forms: dict[str, str | bytes] = {"text/html": html}
    if vl_convert:
        forms["image/png"] = vl_convert.vegalite_to_png(json.dumps(for_paper(spec)), scale=1.5)
    return forms | {"text/plain": spec.get("description", "chart")}


alt.renderers.enable("html", embed_options={"renderer": "svg", "actions": False})
_html: Callable[..., dict[str, str]] = alt.renderers.get()  # type: ignore[assignment]  # enabled above
alt.renderers.register("lethe", mimebundle)
alt.renderers.enable("lethe")
