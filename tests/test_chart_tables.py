"""lethe.pages.chart_tables: the numbers behind a chart, in words."""

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.pages import charts, render
from lethe.pages.chart_tables import MAX_ROWS, in_words, table_html, tables, thinned

WORDS = {"title": "A title", "description": "What the chart shows."}


def only(chart: alt.TopLevelMixin) -> tuple[dict, str]:
    """The one table of a chart."""
    found = tables(chart.to_dict())
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *[(3, "3"), (3.0, "3"), (0.123456, "0.1235"), (1e-7, "1e-07"), (float("nan"), "none")],
        *[(None, "none"), ("a", "a"), (True, "True"), (12345.678, "12346"), (-0.0, "0")],
        *[(float("inf"), "inf"), (float("-inf"), "-inf"), ([1, 2], "[1, 2]"), (1e12, "1e+12")],
    ],
)
def test_cells_in_words(value, words):
    assert in_words(value) == words


@given(st.integers(0, 5_000))
@settings(max_examples=60, deadline=None)
def test_a_thinned_table_is_short_and_starts_with_the_first_row(count):
    kept, note = thinned(pd.DataFrame({"x": np.arange(count)}))
    assert len(kept) <= MAX_ROWS
    assert kept["x"].tolist()[:1] == [0][:count]
    assert bool(note) == (count > MAX_ROWS)


def test_the_note_says_which_rows_are_left():
    assert thinned(pd.DataFrame({"x": np.arange(4_000)}))[1] == "Every 67th row of 4,000."
    assert thinned(pd.DataFrame({"x": np.arange(121)}))[1] == "Every 3rd row of 121."
    assert thinned(pd.DataFrame({"x": np.arange(660)}))[1] == "Every 11th row of 660."


def test_lines_get_a_column_each():
    cells = [(e, name, e + shift) for name, shift in (("b", 0.5), ("a", 0.25)) for e in range(3)]
    frame = pd.DataFrame(cells, columns=["epoch", "arm", "right"])
    table, note = only(charts.lines(frame, "epoch", "right", "arm", y_title="share", **WORDS))
    assert table == {
        "epoch": ["0", "1", "2"],
        "b": ["0.5", "1.5", "2.5"],
        "a": ["0.25", "1.25", "2.25"],
    }
    assert note == "share, a column for each line."


def test_a_line_with_two_values_at_one_place_is_listed_as_it_is():
    frame = pd.DataFrame({"epoch": [0, 0], "arm": ["a", "a"], "right": [1.0, 2.0]})
    table, _ = only(charts.lines(frame, "epoch", "right", "arm", **WORDS))
    assert sorted(table["right"]) == ["1", "2"]


def test_columns_carry_the_titles_of_the_axes_and_what_is_not_drawn_stays_out():
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4], "secret": [5, 6], "url": "data:image/png;x"})
    mark = alt.Chart(frame).mark_image()
    chart = mark.encode(alt.X("a:Q", title="first"), alt.Y("b:Q", title=None), alt.Url("url:N"))
    assert only(chart)[0] == {"first": ["1", "2"], "b": ["3", "4"]}


def test_columns_of_one_title_are_told_apart():
    frame = pd.DataFrame({"low": [1, 2], "high": [3, 4]})
    chart = alt.Chart(frame).mark_bar().encode(alt.X("low", title="v"), alt.Y("high", title="v"))
    assert list(only(chart)[0]) == ["v (low)", "v (high)"]


def test_each_data_set_of_a_chart_has_a_table_and_lone_marks_have_none():
    one, two = pd.DataFrame({"x": [1, 2]}), pd.DataFrame({"x": [3, 4, 5]})
    points = [alt.Chart(rows).mark_point().encode(x="x:Q") for rows in (one, two)]
    rule = alt.Chart(pd.DataFrame({"x": [9]})).mark_rule().encode(x="x:Q")
    found = tables(alt.hconcat(alt.layer(points[0], rule), points[1]).to_dict())
    assert [table["x"] for table, _ in found] == [["1", "2"], ["3", "4", "5"]]


def test_a_chart_without_data_has_no_table():
    assert tables({"mark": "point"}) == []


def test_html_of_a_table_is_escaped_and_folded():
    html = table_html([({"<a>": ["1 < 2"]}, "a & b")])
    assert html.startswith("<details")
    assert '<th scope="col">&lt;a&gt;</th>' in html
    assert "<td>1 &lt; 2</td>" in html
    assert "<caption>a &amp; b</caption>" in html


def test_every_chart_has_a_table_even_where_it_brings_none(monkeypatch):
    monkeypatch.setenv("LETHE_BOOK", "1")
    frame = pd.DataFrame({"epoch": range(500), "y": np.linspace(0, 1, 500)})
    html = render.mimebundle(charts.lines(frame, "epoch", "y", **WORDS).to_dict())["text/html"]
    assert html.count("<tr>") <= MAX_ROWS + 1
    assert "Every 9th row of 500." in html


def test_a_raster_tells_the_share_in_each_state():
    correct = np.array([[0, 1, 0], [0, 0, 1]], bool)
    told = charts.raster(correct, **WORDS).to_dict()["usermeta"]
    assert told["table"] == {
        "epoch": ["0", "1", "2"],
        "not learned yet": ["100.0%", "50.0%", "0.0%"],
        "right": ["0.0%", "50.0%", "50.0%"],
        "lost again": ["0.0%", "0.0%", "50.0%"],
    }


def test_a_histogram_tells_the_share_of_each_group():
    groups = {"a": np.array([0.0, 0.0, 1.0, np.nan]), "b": np.array([1.0])}
    told = charts.histogram(groups, x_title="x", bins=2, **WORDS).to_dict()["usermeta"]["table"]
    assert told["from"] == ["0", "0.5"]
    assert told["share: a"] == ["0.6667", "0.3333"]
    assert told["share: b"] == ["0", "1"]


def test_a_scatter_tells_how_y_is_spread_in_bands_of_x():
    x, y = np.arange(24.0), np.arange(24.0) ** 2
    chart = charts.scatter(x, y, x_title="x", y_title="y", **WORDS)
    told = chart.to_dict()["usermeta"]["table"]
    assert sum(map(int, told["samples"])) == 24
    assert told["lowest"][0] == "0"
    assert told["highest"][-1] == "529"


def test_a_wide_matrix_tells_its_largest_cells():
    matrix = np.arange(400.0).reshape(20, 20)
    names = [f"n{k}" for k in range(20)]
    chart = charts.heatmap(matrix, rows=names, columns=names, scale_title="s", **WORDS)
    told = chart.to_dict()["usermeta"]
    assert told["note"] == "The 40 largest of 400 cells."
    assert told["table"]["value"][0] == "399"
    assert (told["table"]["row"][0], told["table"]["column"][0]) == ("n19", "n19")


def test_the_picker_tells_every_network_for_each_glyph():
    lives = {"net": np.array([[[1, 1], [0, 1]], [[1, 0], [0, 0]]], bool)}
    uris = [charts.data_uri(np.zeros((8, 8), np.uint8))] * 2
    told = charts.life_picker(lives, uris, ["A", "B"], **WORDS).to_dict()["usermeta"]
    assert told["table"] == {
        "glyph": ["A", "B"],
        "net: share of epochs right": ["75%", "25%"],
        "net: seeds in which it is lost again": ["1 of 2", "0 of 2"],
    }
    assert list(told["steps"].values()) == [["A", "B"]]
