"""lethe.pages.log_lines: the chart of lines on logarithmic axes."""

import pandas as pd
import pytest

from lethe.errors import LetheError
from lethe.pages import charts, render

WORDS = {"title": "A title", "description": "Seen.", "x_title": "time", "y_title": "weight"}
TABLE = pd.DataFrame({"t": [1, 10, 1, 10], "w": [1.0, 0.1, 0.5, 0.05], "arm": ["a", "a", "b", "b"]})


def test_axes_and_dashes_are_as_asked():
    spec = charts.log_lines(TABLE, "t", "w", log="y", dashed=["b"], **WORDS).to_dict()
    code = spec["encoding"]
    assert code["y"]["scale"]["type"] == "log"
    assert code["x"]["scale"].get("type") is None
    assert code["strokeDash"]["scale"] == {"domain": ["a", "b"], "range": [[1, 0], [6, 4]]}
    assert render.mimebundle(spec)["text/plain"] == "Seen."
    assert render.mimebundle(spec)["image/png"].startswith(b"\x89PNG")


def test_what_is_wrong_is_named():
    with pytest.raises(LetheError, match=r"no column 'time' for the lines"):
        charts.log_lines(TABLE, "time", "w", **WORDS)
    with pytest.raises(LetheError, match=r"no arm 'c' to dash"):
        charts.log_lines(TABLE, "t", "w", dashed=["c"], **WORDS)
    with pytest.raises(LetheError, match="t holds values of 0 or less"):
        charts.log_lines(TABLE.assign(t=0), "t", "w", **WORDS)
    many = pd.DataFrame({"t": 1, "w": 1, "arm": range(7)})
    with pytest.raises(LetheError, match="7 lines in a chart: the limit is 6"):
        charts.log_lines(many, "t", "w", **WORDS)
    with pytest.raises(LetheError, match="no description"):
        charts.log_lines(TABLE, "t", "w", **(WORDS | {"description": " "}))
