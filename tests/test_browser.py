"""Every chart of the built book is drawn in headless Chromium without a network.

Needs `make book` first and Chromium on the path; without them the tests say so and are skipped.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HTML = Path(__file__).parents[1] / "_build" / "html"
PAGES = sorted(HTML.glob("notebooks/*.html"))
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the path"),
    pytest.mark.skipif(not PAGES, reason="no built book: run make book first"),
]


def loaded(page: Path, profile: Path) -> str:
    """The page's document after its scripts have run, with every host name unreachable."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    options += ["--virtual-time-budget=20000", "--window-size=1280,2000", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *options, page.as_uri()], capture_output=True, text=True, timeout=120
    )
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_chart_is_drawn_offline(page, tmp_path):
    expected = page.read_text("utf-8").count('class="lethe-chart"')
    document = loaded(page, tmp_path)
    drawn = len(re.findall(r'<svg[^>]*class="marks"', document))
    assert drawn == expected
    assert "vega-error" not in document
    assert "JavaScript Error" not in document
