"""Pages of the built book as PDF, one by one, by headless Chromium: charts as drawn, light theme.

Solutions are opened; folded code and tables of numbers are left out. Cost: about 2 s a page.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.errors import LetheError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_CHROMIUM = "no Chromium found: apt install chromium, or `playwright install chromium`"
NO_PLAYWRIGHT = "Playwright is not installed: run `make setup`, or pip install playwright"
MARGIN = {"top": "18mm", "bottom": "22mm", "left": "18mm", "right": "18mm"}
SCALE = 0.9
WIDTH = 731  # pixels: what a line of A4 holds at that scale, so charts are drawn to fit
STYLE = """
*, *::before, *::after { transition: none !important; animation: none !important; }
.bd-main .bd-content { margin-left: 0 !important; }
.bd-article-container, .bd-article { padding: 0 !important; }
#jb-print-toc, footer { display: none !important; }
article, article :is(section, .cell, .cell_output, details, table):last-child {
  margin-bottom: 0 !important; padding-bottom: 0 !important; }  /* else a blank sheet may follow */
.bd-main .bd-content #jb-print-docs-body h1 {
  text-align: left; font-size: 2.2rem; margin: 0 0 1rem; }
pre, code { white-space: pre-wrap !important; overflow-wrap: anywhere; }
table { font-size: 0.8rem !important; } td p, th p { margin: 0; }
.lethe-chart, .lethe-verdict, .lethe-grid figure, tr, img, math { break-inside: avoid; }
.lethe-chart, .output, .cell_output { overflow: visible !important; }
.cell, .cell_input, .cell_output, pre, div[class*="highlight"], table, details,
.pst-scrollable-table-container { overflow: visible !important; break-inside: auto !important; }
.cell_input, div[class*="highlight"] { display: block !important; }
h2, h3, dt, .lethe-title { break-inside: avoid; break-after: avoid; }
a.lethe-term { text-decoration: none; }
details > summary { list-style: none; } details.hide > summary { display: none !important; }
.vega-bindings, button, .headerlink { display: none !important; }
"""
PREPARE = """(anchors) => {
  const all = (selector) => document.querySelectorAll(selector);
  const solution = (part) => /^solution/i.test(part.textContent.trim());
  for (const part of all(".tag_solution details, .lethe-provenance")) part.open = true;
  for (const part of all("details.admonition:not(.hide)")) part.open = solution(part);
  for (const part of all("details:not([open])")) part.remove();
  for (const part of all(".admonition.dropdown, .admonition.toggle")) {
    if (!solution(part)) part.remove();
    part.classList.remove("toggle-hidden");
  }
  for (const anchor of anchors) {  // Chromium keeps the place of an anchor that its page links to
    const link = document.createElement("a");
    link.href = "#" + anchor;
    document.body.append(link);
  }
  return [...all("article section > h2")].map((heading) => {
    const own = heading.cloneNode(true);
    own.querySelectorAll(".headerlink").forEach((link) => link.remove());
    return [heading.parentElement.id, own.textContent.trim()];
  });
}"""
DRAWN = """() => [...document.querySelectorAll(".lethe-chart")]
  .every((box) => box.querySelector("svg, canvas"))"""


@dataclass(frozen=True)
class Printed:
    """One page as PDF, and its sections: anchor and heading."""

    data: bytes
    sections: list[tuple[str, str]]


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a browser page that prints; raises LetheError where Playwright or Chromium lacks."""
    try:
        from playwright.sync_api import Error, ViewportSize, sync_playwright  # of the extra "book"
    except ImportError:
        raise LetheError(NO_PLAYWRIGHT) from None
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses root
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=options)
        except Error as error:
            raise LetheError(f"{NO_CHROMIUM} ({str(error).splitlines()[0]})") from None
        size = ViewportSize(width=WIDTH, height=1000)
        page = browser.new_context(viewport=size, color_scheme="light", offline=True).new_page()
        page.emulate_media(media="print", color_scheme="light")
        yield page
        browser.close()


def print_page(page: Any, path: Path, anchors: set[str]) -> Printed:
    """Print one file of HTML; places of the ids `anchors` are kept as named destinations.

    Raises LetheError for a chart that is not drawn within 30 s.
    """
    from playwright.sync_api import TimeoutError

    page.goto(path.as_uri(), wait_until="load")
    try:
        page.wait_for_function(DRAWN)
    except TimeoutError:
        raise LetheError(f"{path}: a chart is not drawn; open the page in a browser") from None
    page.add_style_tag(content=STYLE)
    sections = page.evaluate(PREPARE, sorted(anchors))
    return Printed(_pdf(page), [(anchor, heading) for anchor, heading in sections])


def print_html(page: Any, html: str) -> Printed:
    """Print a page given as HTML, such as the title page."""
    page.set_content(html)
    return Printed(_pdf(page), [])


def _pdf(page: Any) -> bytes:
    return page.pdf(format="A4", margin=MARGIN, scale=SCALE, print_background=True)
