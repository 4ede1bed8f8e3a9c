"""The chart in which a rate is moved by hand: its data, its expressions and its refusals."""

import json

import numpy as np
import pytest
import vl_convert

from lethe.errors import LetheError
from lethe.pages import explorer, render

TRACES = {"drops": np.array([1.0, 1.0, 0.0, np.nan]), "stays": np.ones(4)}


def spec(start_rate: float = 0.3) -> dict:
    rates = {"drops": 0.25, "stays": 0.0}
    words = {"title": "By hand", "description": "one trace and two curves"}
    return explorer.curve_explorer(TRACES, rates, start_rate=start_rate, **words).to_dict()


def test_it_holds_every_epoch_of_every_trace_once():
    rows = next(iter(spec()["datasets"].values()))
    assert [(row["name"], row["t"]) for row in rows] == [
        ("drops", 0),
        ("drops", 1),
        ("drops", 2),
        *[("stays", t) for t in range(4)],
    ]


def test_the_browser_computes_the_sum_of_squares_of_both_curves():
    drawn = vl_convert.vegalite_to_svg(json.dumps(render.for_paper(spec())))
    right, t = TRACES["drops"][:3], np.arange(3)
    for rate in (0.25, 0.3):
        squares = ((right - np.exp(-rate * t)) ** 2).sum()
        assert f"sum of squares {squares:.2f}" in drawn


def test_a_trace_without_a_rate_is_refused():
    with pytest.raises(LetheError, match="fitted rate"):
        explorer.curve_explorer(TRACES, {"drops": 0.1}, title="x", description="y")


def test_the_table_has_a_row_for_each_trace():
    traces = {"a": np.array([1.0, 0.0, np.nan]), "b": np.array([1.0, 1.0, 1.0])}
    words = {"title": "A title", "description": "Seen."}
    spec = explorer.curve_explorer(traces, {"a": 0.5, "b": 0.0}, **words).to_dict()
    assert spec["usermeta"]["table"] == {
        "trace": ["a", "b"],
        "epochs": ["2", "3"],
        "share right": ["50%", "100%"],
        "fitted rate per epoch": ["0.5", "0"],
    }
