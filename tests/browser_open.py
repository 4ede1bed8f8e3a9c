"""One headless Chromium for all tests of the built pages, and pages opened in it without a network.

LETHE_HTML names another folder of pages than that of the last `make book`.
"""

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import shared_chromium
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as NotInTime
from shared_chromium import CHROMIUM  # noqa: F401

HTML = Path(os.environ.get("LETHE_HTML", Path(__file__).parents[1] / "_build" / "html"))
LOCAL = ("file:", "data:", "blob:", "about:")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
CHARTS = "[...document.querySelectorAll('.lethe-chart')]"
DRAWN = CHARTS + ".every(box => box.querySelector('svg.marks'))"
SETTLED = "() => new Promise(done => setTimeout(done, 500))"  # the stops of the Tab key are set
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"


def built_pages() -> list[Path]:
    """Every page of the built book that a reader sees, and not those that only lead elsewhere."""
    pages = [path for path in sorted(HTML.rglob("*.html")) if "_static" not in path.parts]
    leads = 'http-equiv="Refresh"'
    return [p for p in pages if p.name != "genindex.html" and leads not in p.read_text("utf-8")]


def page_name(path: Path) -> str:
    return path.relative_to(HTML).with_suffix("").as_posix()


@dataclass
class Visit:
    """A page in the browser and what went wrong while it was open."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors on the console and in scripts, and requests that fail or leave the disk."""
        on, note = self.page.on, self.problems.append
        on("console", lambda m: note(f"console: {m.text[:200]}") if m.type == "error" else None)
        on("pageerror", lambda error: note(f"script: {str(error)[:200]}"))
        on("request", lambda r: None if r.url.startswith(LOCAL) else note(f"asks for {r.url}"))
        on("requestfailed", lambda r: note(f"cannot load {r.url}"))

    def theme(self, name: str) -> None:
        """Switch to `light` or `dark` as the theme's own button and the reader's system do."""
        self.page.emulate_media(color_scheme=name)
        self.page.evaluate("name => {document.documentElement.dataset.theme = name}", name)
        self.page.wait_for_timeout(50)


@pytest.fixture(scope="session")
def browser() -> Browser:
    return shared_chromium.chromium()


@contextmanager
def visit(browser: Browser, path: Path, size: str = "desktop", theme: str = "light"):
    """The page at `path`, its charts drawn (or the problem noted), without a network."""
    width, height = SIZES[size]
    screen = {"viewport": {"width": width, "height": height}, "color_scheme": theme}
    with browser.new_context(**screen, reduced_motion="reduce", offline=True) as context:
        seen = Visit(context.new_page())
        seen.watch()
        seen.page.goto(path.as_uri(), wait_until="load")
        seen.page.add_style_tag(content=STILL)
        try:
            seen.page.wait_for_function(DRAWN, timeout=20_000)
        except NotInTime:
            seen.problems.append("a chart is not drawn after 20 s")
        seen.page.evaluate(SETTLED)
        yield seen
