"""lethe.pages.sliders: the chart whose settings the reader chooses."""

import itertools
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import vl_convert

from lethe.errors import LetheError
from lethe.pages import charts, render

SEEDS, EPOCHS = (1, 2, 5, 10, 20), (10, 30)
WORDS = {"title": "A title", "x_title": "spread", "y_title": "rho"}


def grid() -> pd.DataFrame:
    cells = itertools.product(SEEDS, EPOCHS, (0.1, 0.5, 0.9), ("rate", "events"))
    table = pd.DataFrame(cells, columns=["seeds", "epochs", "sd", "score"])
    return table.assign(rho=table["seeds"] * 100 + table["epochs"] + table["sd"])


def chart(table=None, description="Seen.", **start):
    choose = {"seeds": "seeds averaged", "epochs": "epochs seen"}
    table = grid() if table is None else table
    options = {"choose": choose, "description": description, "start": start}
    return charts.sliders(table, "sd", "rho", "score", **options, **WORDS)


def drawn(spec) -> str:
    spec["config"]["mark"]["aria"] = True  # the marks say their numbers
    return vl_convert.vegalite_to_svg(json.dumps(render.for_paper(spec)))


def test_each_slider_moves_over_positions_of_its_values():
    params = chart(seeds=5).to_dict()["params"]
    binds = [param["bind"] for param in params]
    assert [param["value"] for param in params] == [2, 0]
    assert [(b["min"], b["max"], b["step"]) for b in binds] == [(0, 4, 1), (0, 1, 1)]
    assert all(b["input"] == "range" for b in binds)


@pytest.mark.parametrize("at", range(len(SEEDS)))
def test_every_position_shows_its_value_and_only_its_rows(at):
    spec = chart(epochs=30).to_dict()
    spec["params"][0]["value"] = at
    svg = drawn(spec)
    assert f"seeds averaged: {SEEDS[at]}" in svg
    assert "epochs seen: 30" in svg
    heights = {float(found.replace(",", "")) for found in re.findall(r"rho: ([\d.,]+);", svg)}
    assert heights == {round(SEEDS[at] * 100 + 30 + sd, 1) for sd in (0.1, 0.5, 0.9)}


def test_the_order_of_the_rows_does_not_matter():
    shuffled = grid().sample(frac=1, random_state=0).sort_values("score", kind="stable")
    first, second = chart(seeds=5).to_dict(), chart(shuffled, seeds=5).to_dict()
    tables = [spec["usermeta"]["table"] for spec in (first, second)]
    assert tables[0] == tables[1]
    assert first["params"] == second["params"]


def test_the_text_and_the_table_tell_the_start_values(monkeypatch):
    monkeypatch.setenv("LETHE_BOOK", "1")
    bundle = render.mimebundle(chart(seeds=10, epochs=30).to_dict())
    expected = "Seen. With sliders; shown for seeds averaged 10, epochs seen 30."
    assert bundle["text/plain"] == expected
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/html"].count("<td>1030</td>") == 4
    assert "<td>110" not in bundle["text/html"]  # a setting that is not shown at first
    assert "cdn" not in bundle["text/html"]
    assert "#222" not in bundle["text/html"]


def test_the_smallest_values_are_the_default_start():
    assert [param["value"] for param in chart().to_dict()["params"]] == [0, 0]


def test_what_is_wrong_is_named():
    with pytest.raises(LetheError, match="seeds cannot start at 3: choose one of 1, 2, 5, 10, 20"):
        chart(seeds=3)
    with pytest.raises(LetheError, match=r"no column 'seed' for a slider: did you mean 'seeds'"):
        chart(seed=3)
    with pytest.raises(LetheError, match="9 settings of 10: give every combination"):
        chart(grid().query("seeds != 5 or epochs != 30"))
    with pytest.raises(LetheError, match="no description"):
        chart(description=" ")
    with pytest.raises(LetheError, match="the limit is 5000"):
        chart(pd.concat([grid()] * 90))


def test_axes_hold_every_setting():
    layer = chart().to_dict()["layer"][0]["encoding"]
    assert layer["y"]["scale"]["domain"] == [110.1, 2030.9]
    assert layer["x"]["scale"]["domain"] == [0.1, 0.9]


def test_values_that_are_not_whole_are_compared_exactly():
    values = np.round(np.linspace(0.1, 0.9, 9), 1)
    table = pd.DataFrame(itertools.product(values, (1, 2)), columns=["sd", "x"])
    table = table.assign(y=table["sd"] * 1.0, kind="a")
    words = WORDS | {"description": "d", "choose": {"sd": "spread"}, "start": {"sd": 0.3}}
    spec = charts.sliders(table, "x", "y", "kind", **words).to_dict()
    assert spec["params"][0]["value"] == 2
    assert "spread: 0.3" in drawn(spec)


@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium on the path")
def test_a_browser_redraws_when_the_slider_moves(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_BOOK", "1")
    render.write_bundle(tmp_path / "bundle.js")
    html = render.mimebundle(chart(seeds=5).to_dict())["text/html"]
    move = (
        "<script>setTimeout(() => {const slider = document.querySelector('input[type=range]');"
        "slider.focus(); slider.stepUp(); slider.dispatchEvent(new Event('input'));}, 2000)"
        "</script>"
    )
    page = tmp_path / "page.html"
    page.write_text(f'<script src="bundle.js"></script><body>{html}{move}</body>', "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=6000"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'user'}"]
    command = ["chromium", *options, "--dump-dom", page.as_uri()]
    document = subprocess.run(command, capture_output=True, text=True, timeout=100).stdout
    assert "seeds averaged: 10" in document
    assert "seeds averaged: 5" not in document.split("<script>")[-1]
    assert document.count('type="range"') >= 2
