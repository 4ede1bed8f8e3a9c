"""The keyboard does in a real browser what the mouse does, also in a page of `lethe rerun`."""

import browser_axe
import browser_structure
import chart_page
import pytest
from browser_open import CHROMIUM, HTML, browser, page_name, visit  # noqa: F401

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the path")

SOME = ["notebooks/at_a_glance", "notebooks/how_agreement_works", "book/glossary"]
STOPS = """() => {
  const all = document.querySelectorAll('a[href], button, summary, input, select, [tabindex="0"]');
  const seen = [...all].filter(one => one.checkVisibility({visibilityProperty: true})
    && one.tabIndex >= 0 && !one.disabled && !one.closest('[inert]'));
  seen.forEach((one, number) => { one.dataset.stop = number; });
  return seen.map(one => one.outerHTML.slice(0, 90));
}"""
HERE = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  return [one.dataset.stop ?? '', outlined || style.boxShadow !== 'none'];
}"""


@pytest.fixture(scope="module")
def charts_page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LETHE_BOOK", "1")
        return chart_page.write(tmp_path_factory.mktemp("page"))


@pytest.fixture
def opened(charts_page, browser):  # noqa: F811
    with visit(browser, charts_page) as seen:
        yield seen
        assert not seen.problems


def bound(seen, words: str):
    """The input below a chart with this label."""
    return seen.page.locator(".vega-bind", has_text=words).locator("input, select")


def test_a_page_of_rerun_has_no_serious_violation(opened):
    assert not browser_structure.wrong(opened)
    browser_axe.thin(opened)
    found = browser_axe.violations(opened)
    opened.page.emulate_media(color_scheme="dark")
    assert not found + browser_axe.violations(opened, colors_only=True)


def test_the_arrow_keys_pick_a_glyph_and_say_its_name(opened):
    slider, names = (
        bound(opened, "glyph, from easy to hard"),
        opened.page.locator(".mark-text text"),
    )
    first = slider.get_attribute("aria-valuetext")
    assert first in names.all_text_contents()
    slider.press("ArrowLeft")
    second = slider.get_attribute("aria-valuetext")
    assert second != first
    opened.page.wait_for_function("w => document.body.textContent.includes(w)", arg=second)
    assert second in names.all_text_contents()
    assert first not in names.all_text_contents()


def test_the_mouse_picks_a_glyph_too_and_moves_the_slider(opened):
    slider = bound(opened, "glyph, from easy to hard")
    before = slider.input_value()
    opened.page.locator("svg.marks .mark-rect path").first.hover()
    opened.page.wait_for_timeout(200)
    assert slider.input_value() != before


def test_the_list_dims_the_other_arms(opened):
    chart = opened.page.locator(".lethe-chart").nth(1)
    points = chart.locator(".mark-symbol.role-mark path")
    shown = lambda: {float(p.get_attribute("opacity") or 1) for p in points.all()}  # noqa: E731
    assert 0.06 not in shown()
    chart.locator("select").select_option("b")
    opened.page.wait_for_timeout(200)
    assert 0.06 in shown()


def test_a_slider_says_what_its_position_stands_for(opened):
    slider = bound(opened, "seeds averaged")
    assert slider.get_attribute("aria-valuetext") == "1"
    slider.press("End")
    assert slider.get_attribute("aria-valuetext") == "20"


@pytest.mark.parametrize("name", SOME)
def test_tab_reaches_everything_and_shows_where_it_is(name, browser):  # noqa: F811
    path = HTML / f"{name}.html"
    if not path.is_file():
        pytest.skip("no built book: run make book first")
    with visit(browser, path) as seen:
        wanted = seen.page.evaluate(STOPS)
        reached = {}
        for _ in range(len(wanted) + 40):
            seen.page.keyboard.press("Tab")
            stop, visible = seen.page.evaluate(HERE)
            reached.setdefault(stop, visible)
    missed = [html for number, html in enumerate(wanted) if str(number) not in reached]
    unseen = [wanted[int(stop)] for stop, visible in reached.items() if stop and not visible]
    assert not missed
    assert not unseen


def test_the_skip_link_leads_past_the_contents(browser):  # noqa: F811
    path = HTML / f"{SOME[0]}.html"
    if not path.is_file():
        pytest.skip("no built book: run make book first")
    with visit(browser, path) as seen:
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.textContent") == "Skip to main content"
        seen.page.keyboard.press("Enter")
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("Boolean(document.activeElement.closest('main'))")


def test_arrow_keys_in_a_wide_box_move_it_and_do_not_turn_the_page(browser):  # noqa: F811
    path = HTML / f"{SOME[1]}.html"
    if not path.is_file():
        pytest.skip("no built book: run make book first")
    with visit(browser, path, "phone") as seen:
        box = seen.page.locator("main pre[tabindex='0']:visible").first
        box.focus()
        for _ in range(3):
            seen.page.keyboard.press("ArrowRight")
        seen.page.wait_for_timeout(300)
        assert seen.page.url == path.as_uri()
        assert box.evaluate("box => box.scrollLeft") > 0
