"""One headless Chromium for all tests: Playwright allows a single driver in a process.

Opened by whoever asks first, closed at the end of the session by `conftest.py`.
"""

import shutil
from functools import cache

import pytest

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
OPENED = []  # the driver, once it runs


@cache
def chromium():
    """The browser; the test is skipped where Playwright or Chromium lacks."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no Chromium on the path")
    OPENED.append(sync_api.sync_playwright().start())
    return OPENED[0].chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def close():
    """End the browser and its driver, if they run."""
    while OPENED:
        chromium().close()
        OPENED.pop().stop()
