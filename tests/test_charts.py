"""lethe.pages.render, charts, intervals, rasters, picker, gallery."""

import base64
import io
import itertools
import json

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from lethe.errors import LetheError
from lethe.pages import charts, rasters, render

WORDS = {"title": "A title", "description": "What the chart shows."}
RNG = np.random.default_rng(0)


def every_chart() -> dict[str, alt.TopLevelMixin]:
    """One chart of each kind."""
    correct = RNG.random((6, 9)) < 0.6
    frame = pd.DataFrame({"epoch": [0, 1, 2], "y": [0.1, 0.2, 0.3], "low": 0.0, "high": 0.4})
    rows = [
        {"label": "with all", "estimate": 0.2, "low": 0.1, "high": 0.3, "null": (0.0, 0.05)}
        | {"ceiling": 0.4, "paper": 0.34},
        {"label": "bare", "estimate": 0.3},
    ]
    axes = {"x_title": "x", "y_title": "y"}
    uris = [charts.data_uri(np.zeros((8, 8), np.uint8))] * 6
    return {
        "interval": charts.interval_chart(rows, x_title="overlap", **WORDS),
        "raster": charts.raster(correct, **WORDS),
        "histogram": charts.histogram({"a": RNG.random(50)}, x_title="x", **WORDS),
        "heatmap": charts.heatmap(
            RNG.random((2, 3)), rows="ab", columns="abc", scale_title="s", **WORDS
        ),
        "lines": charts.lines(frame, "epoch", "y", band=("low", "high"), **WORDS),
        "fronts": charts.fronts(
            pd.DataFrame({"arm": ["a", "a"], "x": [0.1, 0.2], "y": [0.2, 0.1]}),
            "x",
            "y",
            **axes,
            **WORDS,
        ),
        "scatter": charts.scatter(RNG.random(99), RNG.random(99), **axes, **WORDS),
        "bars": charts.bars(["a", "b"], [0.1, 0.2], x_title="x", **WORDS),
        "picker": charts.life_picker({"net": correct[None]}, uris, list("abcdef"), **WORDS),
    }


CHARTS = every_chart()


@pytest.mark.parametrize("kind", CHARTS)
def test_each_chart_has_three_forms_and_no_address_on_the_web(kind, monkeypatch):
    monkeypatch.setenv("LETHE_BOOK", "1")
    spec = CHARTS[kind].to_dict()
    first, second = render.mimebundle(spec), render.mimebundle(spec)
    assert first["text/html"] == second["text/html"]
    assert "cdn" not in first["text/html"]
    assert " id=" not in first["text/html"]
    assert first["image/png"].startswith(b"\x89PNG")
    assert first["text/plain"] == WORDS["description"]


def test_outside_the_book_the_html_is_altairs_own(monkeypatch):
    monkeypatch.delenv("LETHE_BOOK", raising=False)
    html = render.mimebundle(CHARTS["bars"].to_dict())["text/html"]
    assert "vega-embed" in html
    assert "<details" in html


def test_displaying_a_chart_goes_through_the_renderer(monkeypatch):
    monkeypatch.setenv("LETHE_BOOK", "1")
    bundle = CHARTS["bars"]._repr_mimebundle_()
    assert {"text/html", "image/png", "text/plain"} <= set(bundle)


def test_the_picture_is_ink_on_white():
    paper = render.for_paper(CHARTS["bars"].to_dict())
    assert render.INK not in json.dumps(paper)
    assert paper["background"] == "white"
    assert paper["width"] == render.PNG_WIDTH


def test_a_script_inside_the_data_cannot_end_the_script():
    chart = charts.bars(["</script><b>"], [1.0], x_title="x", **WORDS)
    html = render.book_html(chart.to_dict())
    assert html.count("</script>") == 1


def test_charts_side_by_side_can_be_stacked():
    html = render.book_html(CHARTS["picker"].to_dict())
    assert "spec.vconcat = spec.hconcat" in html
    assert '"hconcat":' in html


def test_long_axis_titles_stand_in_lines_and_short_ones_in_one():
    long = "a title of an axis that a phone has no room for on one line"
    frame = pd.DataFrame({"epoch": [0], "y": [0.1], "low": [0.0], "high": [0.2]})
    spec = charts.lines(frame, "epoch", "y", band=("low", "high"), y_title=long, **WORDS).to_dict()
    render.wrap_titles(spec)
    titles = [layer["encoding"]["y"]["title"] for layer in spec["layer"]]
    assert all(" ".join(lines) == long and len(lines) == 2 for lines in titles)
    assert render.vl_convert.vegalite_to_svg(json.dumps(spec)).count("room for") == 1


def test_the_bundle_defines_vega_embed_inside_a_function(tmp_path):
    path = render.write_bundle(tmp_path / "_static" / "vega-bundle.js")
    code = path.read_text("utf-8")
    assert code.startswith("(function")
    assert "window.vegaEmbed" in code
    assert 500_000 < path.stat().st_size < 1_500_000


def test_a_description_is_required():
    with pytest.raises(LetheError, match="no description"):
        charts.bars(["a"], [1.0], x_title="x", title="A title", description=" ")


def test_more_than_5000_rows_are_refused():
    frame = pd.DataFrame({"x": np.arange(5_001), "y": 0.0})
    with pytest.raises(LetheError, match="5001 rows: the limit is 5000"):
        charts.lines(frame, "x", "y", **WORDS)


def test_interval_chart_tells_every_number_in_its_table():
    table = CHARTS["interval"].to_dict()["usermeta"]["table"]
    assert table["interval"] == ["0.10 to 0.30", "none"]
    assert table["chance"] == ["0.00 to 0.05", "none"]
    assert table["ceiling"] == ["0.40", "none"]
    assert table["paper"] == ["0.34", "none"]


def test_interval_chart_writes_each_number_as_its_page_does():
    rows = [{"label": "share", "estimate": 0.5, "fmt": ".0%"}, {"label": "x", "estimate": -0.001}]
    chart = charts.interval_chart(rows, x_title="x", **WORDS)
    assert chart.to_dict()["usermeta"]["table"]["estimate"] == ["50%", "0.00"]


def test_stretches_of_a_life_written_by_hand():
    table = rasters.stretches(np.array([[0, 1, 1, 0, 1], [0, 0, 0, 0, 0]]))
    assert table["state"].tolist() == [
        "not learned yet",
        "right",
        "lost again",
        "right",
        "not learned yet",
    ]
    assert table[["start", "stop"]].to_numpy().tolist() == [[0, 1], [1, 3], [3, 4], [4, 5], [0, 5]]


@settings(max_examples=50, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 9))))
def test_stretches_paint_every_cell_once(correct):
    painted = np.full(correct.shape, -1)
    for row in rasters.stretches(correct).itertuples():
        assert (painted[row.row, row.start : row.stop] == -1).all()
        painted[row.row, row.start : row.stop] = rasters.STATES.index(row.state)
    slow = [
        [1 if now else 2 if life[: epoch + 1].any() else 0 for epoch, now in enumerate(life)]
        for life in correct
    ]
    assert painted.tolist() == slow


def test_a_raster_of_the_wrong_shape_is_refused():
    with pytest.raises(LetheError, match="correct\\[sample, epoch\\]"):
        charts.raster(np.zeros(5, bool), **WORDS)


def test_histogram_shares_sum_to_one_and_leave_nan_out():
    values = np.array([0.0, 1.0, 1.0, np.nan])
    chart = charts.histogram(values, x_title="x", bins=4, **WORDS)
    assert chart.data["height"].sum() == pytest.approx(1.0)


def test_scatter_counts_every_finite_pair():
    x = np.append(RNG.random(500), np.nan)
    chart = charts.scatter(x, x, x_title="x", y_title="y", **WORDS)
    assert chart.data["samples"].sum() == 500


def test_image_grid_has_a_text_for_each_image_and_keeps_pixels():
    pixels = np.zeros((2, 8, 8, 1), np.uint8)
    pixels[0, :4] = 255
    html = charts.image_grid(pixels, ["O <upper>", "0"], title="Twins").data
    assert html.count("<img") == html.count("alt=") == 2
    assert "O &lt;upper&gt;" in html
    png = base64.b64decode(charts.data_uri(pixels[0]).split(",")[1])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png)).convert("L")), pixels[0, :, :, 0])


def test_image_grid_refuses_unequal_lengths_and_floats():
    with pytest.raises(LetheError, match="2 images, 1 captions"):
        charts.image_grid(np.zeros((2, 8, 8), np.uint8), ["a"], title="Twins")
    with pytest.raises(LetheError, match="expected uint8"):
        charts.data_uri(np.zeros((8, 8)))


# Colours: simulated with the matrices of Machado, Oliveira and Fernandes (2009), severity 1.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(color: str) -> np.ndarray:
    """Linear RGB of `#rrggbb`."""
    srgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB, white D65."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_stay_apart_under_colour_blindness(deficiency):
    matrix = np.asarray(DEFICIENCIES[deficiency])
    seen = [lab(matrix @ linear(color)) for color in render.COLORS.values()]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


@pytest.mark.parametrize("ground", ["#ffffff", "#121212"])
def test_colours_have_contrast_on_both_grounds(ground):
    def luminance(color: str) -> float:
        return float(TO_XYZ[1] @ linear(color)) + 0.05

    for color in [*render.COLORS.values(), render.GREY]:
        pair = sorted([luminance(color), luminance(ground)])
        assert pair[1] / pair[0] >= 3


@pytest.mark.parametrize(("kind", "step"), [(int, 1), (float, None)])
def test_lines_over_whole_numbers_have_whole_ticks(kind, step):
    frame = pd.DataFrame({"x": np.arange(3).astype(kind), "y": 0.5})
    axis = charts.lines(frame, "x", "y", **WORDS).to_dict()["layer"][0]["encoding"]["x"]["axis"]
    assert axis.get("tickMinStep") == step
