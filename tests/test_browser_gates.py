"""The gates themselves: a page with known faults is caught, fault by fault."""

import browser_axe
import browser_pictures
import browser_structure
import numpy as np
import pytest
from browser_open import CHROMIUM, browser, visit  # noqa: F401

BAD = """<!DOCTYPE html><html><head><title>Bad</title></head><body><main><article>
<h1>One</h1><h3>Three</h3><h1>Two</h1>
<p style="color: #bbb">pale words</p>
<img alt="0123456789abcdef01234567.png" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<table><tbody><tr><td>no header</td></tr></tbody></table>
<div style="width: 2000px; height: 900px"></div><p>after a gap</p>
<p>Title</p><div class="lethe-chart" style="height: 60px"><svg class="marks"></svg></div>
<script>console.error("a fault"); fetch("https://example.org/x").catch(() => 0); missing();</script>
</article></main></body></html>"""
EXPECTED = {
    "structure": [
        "language ''",
        "2 headings of level 1",
        "heading 'Three' of level 3 after one of level 1",
        "picture named '0123456789abcdef01234567.png'",
        "1 tables without a header",
        "chart 1 has no description",
        "chart 1 has no marks",
        "chart 1 has no table of its numbers",
    ],
    "pictures": [
        "pixels wider than the window",
        "chart 1 is blank",
        "empty pixels",
        "text of colour",
    ],
    "axe": ["axe color-contrast", "axe html-has-lang"],
    "visit": [
        "console: a fault",
        "asks for https://example.org/x",
        "script: missing is not defined",
    ],
}


@pytest.fixture(scope="module")
def found(browser, tmp_path_factory):  # noqa: F811
    path = tmp_path_factory.mktemp("bad") / "bad.html"
    path.write_text(BAD, encoding="utf-8")
    with visit(browser, path) as seen:
        told = {"structure": browser_structure.wrong(seen), "axe": browser_axe.violations(seen)}
        told["pictures"] = browser_pictures.wrong(seen, browser_pictures.picture(seen))
        told["visit"] = seen.problems
    return {gate: "\n".join(problems) for gate, problems in told.items()}


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the path")
@pytest.mark.parametrize(
    ("gate", "fault"), [(g, f) for g, faults in EXPECTED.items() for f in faults]
)
def test_each_fault_is_told(gate, fault, found):
    assert fault in found[gate]


def test_a_chart_that_only_the_mouse_can_pick_from_is_told():
    page = "(document.currentScript.previousElementSibling,{});</script>"
    clicked = '{"params": [{"name": "a", "select": "point", "bind": "legend"}]}'
    listed = '{"params": [{"select": "point", "bind": {"arm": {"input": "select"}}}]}'
    told = [browser_structure.mouse_only(page.replace("{}", spec)) for spec in (clicked, listed)]
    assert told == [["chart 1 reacts to the mouse only"], []]


def test_gap_and_contrast_by_hand():
    inked = np.zeros((10, 3), bool)
    inked[[0, 4], 1] = True
    assert browser_pictures.longest_gap(inked) == 3
    assert browser_pictures.longest_gap(np.zeros((5, 2), bool)) == 0
    assert browser_pictures.contrast("rgb(0, 0, 0)", np.array([255] * 3)) == pytest.approx(21)
    assert browser_pictures.contrast("rgba(9, 9, 9, 1)", np.array([9] * 3)) == pytest.approx(1)
