"""lethe.pages.terms and terms.js: definitions on hover, on a tiny book made by Sphinx itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lethe.pages import terms

STATIC = Path(__file__).parents[1] / "book" / "_static"
GLOSSARY = """# Glossary

:::{glossary}
seed
  The number that *all* random choices come from. [More](index.md).

forgetting event
  Right at one epoch, wrong at the next.

FLOW
  Weights for "easy" samples.

loss
cross-entropy
  Minus the logarithm of the probability.

Kendall's W
  Agreement of several rankings.

kind
  Letters or photographs.
:::
"""
PAGE = """# A seed in the heading

Some `seed` in code, {math}`seed` in a formula, a [seed in a link](glossary.md), pre-seed, seeded.

| seed | x |
|---|---|
| Forgetting
events | 2 |

Two SEEDS of any kind, then a seed again. **Forgetting events** flow; FLOW does not, by Kendall's W.
The cross-entropy is a loss & more <than> that.

```{admonition} Solution: loss
:class: dropdown
The loss.
```

```text
forgetting event
```
"""
CONF = """
extensions = ["myst_parser", "lethe.pages.terms"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
html_theme, html_static_path, html_css_files = "basic", ["_static"], ["lethe.css"]
html_math_renderer, lethe_unlinked_terms = "mathjax", ["Kind"]
"""
LINK = re.compile(r'<a class="lethe-term[^"]*" href="([^"]*)" title="([^"]*)">(.*?)</a>', re.DOTALL)


def built(folder: Path, linked: bool = True) -> Path:
    """The tiny book as HTML, with the extension or without it."""
    source = folder / "source"
    shutil.copytree(STATIC, source / "_static", dirs_exist_ok=True)
    (source / "conf.py").write_text(CONF if linked else CONF.replace(', "lethe.pages.terms"', ""))
    toctree = "\n```{toctree}\nglossary\n```\n"
    (source / "index.md").write_text(PAGE + toctree)
    (source / "glossary.md").write_text(GLOSSARY)
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", source, folder / "html"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    assert "extension" not in done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return built(tmp_path_factory.mktemp("terms"))


@pytest.fixture(scope="module")
def links(html):
    return LINK.findall((html / "index.html").read_text("utf-8"))


def test_the_first_mention_of_each_term_is_linked_once(links):
    assert [words for _, _, words in links] == [
        "SEEDS",
        "Forgetting events",
        "FLOW",
        "Kendall’s W",
        "cross-entropy",
    ]


def test_a_link_leads_to_its_entry_and_holds_the_definition_of_the_glossary(html, links):
    glossary = (html / "glossary.html").read_text("utf-8")
    for address, _, _ in links:
        page, anchor = address.split("#")
        assert page == "glossary.html"
        assert f'id="{anchor}"' in glossary
    assert links[0][1] == "The number that all random choices come from."
    assert links[2][1] == "Weights for “easy” samples."


def test_the_glossary_links_nothing_of_itself(html):
    assert not LINK.search((html / "glossary.html").read_text("utf-8"))


def test_the_text_reads_as_without_the_extension(html, tmp_path):
    def words(page):
        body = re.search(
            r'<div class="body".*?<div class="clearer">', page.read_text("utf-8"), re.S
        )
        return re.sub(r"<[^>]+>", "", body[0])

    plain = built(tmp_path, linked=False)
    assert words(html / "index.html") == words(plain / "index.html")


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("seed", "seeds"),
        ("loss", "losses"),
        ("half-life", "half-lives"),
        ("cross-entropy", "cross-entropies"),
        ("train view", "train views"),
        ("survey", "surveys"),
    ],
)
def test_plurals(one, many):
    assert terms.plural(one) == many


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the spaced\nrepetitions", "spaced\nrepetitions"),
        ("a spaced repetition sampler", "spaced repetition"),  # the longest first
        ("an ICC", "ICC"),
        ("an icc", None),
        ("re-spaced", None),
        ("spaced-repetition", None),
    ],
)
def test_what_counts_as_a_mention(text, found):
    names = ("spaced", "spaced repetition", "ICC")
    match = terms.pattern(names).search(text)
    assert (match and match[0]) == found


@pytest.fixture
def page(browser, html):
    page = browser.new_page(viewport={"width": 800, "height": 600})
    page.goto((html / "index.html").as_uri())
    yield page
    page.close()


def shown(page) -> list[str]:
    return page.locator(".lethe-term-note:visible").all_inner_texts()


SEED = "The number that all random choices come from."


def test_hover_shows_the_definition_which_stays_under_the_pointer(page):
    page.hover("a.lethe-term >> nth=0")
    assert shown(page) == [SEED]
    box = page.locator(".lethe-term-note:visible").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2, steps=5)
    page.wait_for_timeout(400)
    assert shown(page) == [SEED]
    page.mouse.move(790, 590)
    page.wait_for_timeout(400)
    assert shown(page) == []


def test_focus_shows_it_and_escape_takes_it_away(page):
    link = page.locator("a.lethe-term").first
    link.focus()
    assert shown(page) == [SEED]
    page.keyboard.press("Escape")
    assert shown(page) == []
    assert link.evaluate("node => node === document.activeElement")


def test_screen_readers_are_told_and_no_second_title_pops_up(page):
    link = page.locator("a.lethe-term").first
    note = page.locator("#" + link.get_attribute("aria-describedby"))
    assert note.get_attribute("role") == "tooltip"
    assert note.text_content() == SEED
    assert link.get_attribute("title") is None


def test_a_definition_stays_inside_a_narrow_window(page):
    page.set_viewport_size({"width": 320, "height": 300})
    for link in page.locator("a.lethe-term").all():
        link.focus()
        box = page.locator(".lethe-term-note:visible").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320


def test_one_tap_shows_it_and_the_second_follows_the_link(browser, html):
    phone = browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}
    )
    page = phone.new_page()
    page.goto((html / "index.html").as_uri())
    link = page.locator("a.lethe-term").first
    link.tap()
    assert shown(page) == [SEED]
    page.locator("h1").tap()
    assert shown(page) == []
    link.tap()
    assert page.url.endswith("index.html")
    link.tap()
    page.wait_for_url("**/glossary.html#term-seed")
    phone.close()


def test_without_javascript_it_is_a_plain_link_with_a_title(browser, html):
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto((html / "index.html").as_uri())
    link = page.locator("a.lethe-term").first
    assert link.get_attribute("title") == SEED
    link.click()
    assert page.url.endswith("glossary.html#term-seed")
    plain.close()
