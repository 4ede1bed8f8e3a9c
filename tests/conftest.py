"""What many tests share: one headless Chromium for the whole session."""

import shutil

import pytest

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@pytest.fixture(scope="session")
def browser():
    """Chromium driven by Playwright, which allows one of its kind in a process; skips without."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no Chromium on the path")
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="session")
def small_book(tmp_path_factory):
    """Folder of a rendered book of four pages; the sources are in `source`, the pages in `html`."""
    from small_book import make  # only where it is used: it takes a second to import

    with pytest.MonkeyPatch.context() as patch:
        return make(tmp_path_factory.mktemp("small_book"), patch)
