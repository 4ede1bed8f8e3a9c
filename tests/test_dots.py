"""lethe.pages.dots: rows, panels and colours, and that nothing is lost on a narrow page."""

import pandas as pd
import pytest

from lethe.errors import LetheError
from lethe.pages import charts
from lethe.pages.dots import COLUMNS, SHAPES
from lethe.pages.render import mimebundle

WORDS = {"title": "Dots", "description": "Two rows.", "x_title": "share"}


def table(colors=("b", "a"), panels=("one", "two")):
    return pd.DataFrame(
        [
            {"row": row, "panel": p, "color": c, "estimate": k + 0.5, "low": k, "high": k + 1.0}
            for p in panels
            for k, row in enumerate(("z", "y"))
            for c in colors
        ]
    )


def test_rows_panels_and_colours_keep_their_order():
    spec = charts.dots(table(), **WORDS, marks=[0.25]).to_dict()
    assert [panel["title"] for panel in spec["hconcat"]] == ["one", "two"]
    point = spec["hconcat"][0]["layer"][2]["encoding"]
    assert point["color"]["scale"]["domain"] == ["b", "a"]
    assert point["shape"]["scale"]["range"] == list(SHAPES[:2])
    assert spec["usermeta"]["table"]["what"][:4] == ["z", "z", "y", "y"]
    assert spec["usermeta"]["table"]["estimate"][:3] == ["0.50", "0.50", "1.50"]


def test_every_panel_names_its_rows():
    for panel in charts.dots(table(), **WORDS).to_dict()["hconcat"]:
        assert panel["layer"][3]["encoding"]["text"]["field"] == "row"


def test_dots_and_words_do_not_share_a_place():
    data = charts.dots(table(colors="abcd"), **WORDS).to_dict()["datasets"]
    rows = max(data.values(), key=len)
    places = [row["y"] for row in rows] + sorted({row["words"] for row in rows})
    assert len(set(places)) == len(places)
    for row in rows:
        assert row["first"] < row["y"] < row["foot"]
        assert row["words"] < row["first"]


def test_dots_have_three_forms():
    bundle = mimebundle(charts.dots(table(), **WORDS, marks=[0, 1]).to_dict())
    assert bundle["text/plain"] == "Two rows."
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "<table>" in bundle["text/html"]


def test_odd_dots_are_refused():
    for name in COLUMNS:
        with pytest.raises(LetheError, match=name):
            charts.dots(table().drop(columns=name), **WORDS)
    with pytest.raises(LetheError, match="limit is 4"):
        charts.dots(table(colors="abcde"), **WORDS)
    with pytest.raises(LetheError, match="no description"):
        charts.dots(table(), **WORDS | {"description": " "})
