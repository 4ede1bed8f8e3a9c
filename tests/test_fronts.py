"""lethe.pages.fronts: points, fronts, and how arms are told apart."""

import altair as alt
import pandas as pd
import pytest

from lethe.errors import LetheError
from lethe.pages import charts
from lethe.pages.fronts import MOST
from lethe.pages.render import mimebundle

WORDS = {"title": "Fronts", "description": "Two arms.", "x_title": "target", "y_title": "kept"}


def table():
    return pd.DataFrame(
        {
            "arm": ["b", "b", "b", "a", "a"],
            "target": [0.5, 0.7, 0.6, 0.5, 0.8],
            "retained": [0.9, 0.6, 0.5, 0.4, 0.3],
            "setting": ["epoch 1", "epoch 2", "epoch 3", "epoch 1", "epoch 2"],
        }
    )


def spec(**more):
    return charts.fronts(table(), "target", "retained", **WORDS, **more).to_dict()


def test_only_unbeaten_points_are_on_a_front():
    numbers = spec()["usermeta"]["table"]
    assert numbers["arm"] == ["b", "b", "a", "a"]
    assert numbers["target"] == ["50.0%", "70.0%", "50.0%", "80.0%"]
    assert numbers["kept"] == ["90.0%", "60.0%", "40.0%", "30.0%"]


def test_arms_keep_their_order_and_no_two_look_alike():
    many = pd.DataFrame({"arm": [f"z{MOST - k}" for k in range(MOST)], "x": 0.1, "y": 0.2})
    layer = charts.fronts(many, "x", "y", **WORDS).to_dict()["layer"][-1]["encoding"]
    scales = [layer[channel]["scale"] for channel in ("color", "shape")]
    assert scales[0]["domain"] == list(many["arm"])
    assert len(set(zip(*(scale["range"] for scale in scales)))) == MOST
    more = pd.concat([many, many.assign(arm="one too many")])
    with pytest.raises(LetheError, match="21 arms"):
        charts.fronts(more, "x", "y", **WORDS)


def test_a_value_to_compare_at_is_marked():
    assert len(spec()["layer"]) == 3
    marked = spec(at=0.65)["layer"]
    assert len(marked) == 4
    assert marked[0]["mark"]["type"] == "rule"


def test_points_are_named_and_points_without_a_number_left_out():
    told = spec(point="setting")["layer"][-1]["encoding"]["tooltip"]
    assert [t["field"] for t in told] == ["arm", "setting", "target", "retained"]
    holes = table().assign(retained=[None, 0.6, 0.5, 0.4, 0.3])
    rows = charts.fronts(holes, "target", "retained", **WORDS).to_dict()["usermeta"]["table"]
    assert rows["arm"] == ["b", "a", "a"]


def test_wrong_input_is_refused():
    with pytest.raises(LetheError, match="did you mean 'retained'"):
        charts.fronts(table(), "target", "retaind", **WORDS)
    with pytest.raises(LetheError, match="no description"):
        charts.fronts(table(), "target", "retained", **WORDS | {"description": " "})


def test_it_draws_in_all_three_forms():
    chart = charts.fronts(table(), "target", "retained", at=0.6, point="setting", **WORDS)
    assert isinstance(chart, alt.LayerChart)
    forms = mimebundle(chart.to_dict())
    assert forms["image/png"][:4] == b"\x89PNG"
    assert "The numbers in this chart" in forms["text/html"]
