"""Every built page in a real browser without a network: errors, accessibility, pictures, keyboard.

Run by `make gates`. Needs `make book` first and Chromium on the path, else the tests are skipped.
A page is opened twice, at the size of a desktop and of a phone, and all its problems are reported.
"""

import browser_axe
import browser_pictures
import browser_structure
import numpy as np
import pytest
from browser_open import CHROMIUM, browser, built_pages, page_name, visit  # noqa: F401

PAGES = built_pages()

pytestmark = [
    pytest.mark.gates,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the path"),
    pytest.mark.skipif(not PAGES, reason="no built book: run make book first"),
]


def axe(seen) -> list[str]:
    """Violations in dark, where only colours can differ, and in light."""
    browser_axe.thin(seen)
    problems = [f"dark: {problem}" for problem in browser_axe.violations(seen, colors_only=True)]
    seen.theme("light")
    return problems + [f"light: {problem}" for problem in browser_axe.violations(seen)]


def looked_at(seen, name, folder) -> tuple[list[str], dict[str, np.ndarray]]:
    """Problems of the pictures in light and in dark, and their backgrounds."""
    problems, grounds = [], {}
    for theme in ("light", "dark"):
        seen.theme(theme)
        pixels = browser_pictures.picture(seen)
        found = browser_pictures.wrong(seen, pixels)
        browser_pictures.keep(pixels, f"{name}-{theme}", bool(found), folder)
        problems += [f"{theme}: {problem}" for problem in found]
        grounds[theme] = browser_pictures.background(pixels)
    return problems, grounds


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_page_on_a_desktop(path, browser, tmp_path):  # noqa: F811
    with visit(browser, path) as seen:
        problems, grounds = looked_at(seen, f"{page_name(path)}-desktop", tmp_path)
        problems += browser_structure.wrong(seen)
        problems += browser_structure.mouse_only(path.read_text("utf-8"))
        problems += axe(seen)
        problems += seen.problems
    light, dark = (browser_pictures.luminance(grounds[theme]) for theme in ("light", "dark"))
    assert light > 0.8 > 0.1 > dark
    assert not problems, "\n".join(["", *dict.fromkeys(problems)])


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_page_on_a_phone(path, browser, tmp_path):  # noqa: F811
    with visit(browser, path, "phone") as seen:
        problems, _ = looked_at(seen, f"{page_name(path)}-phone", tmp_path)
        problems += seen.problems
    assert not problems, "\n".join(["", *dict.fromkeys(problems)])
