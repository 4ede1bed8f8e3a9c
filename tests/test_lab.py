"""JupyterLab on pairs: a real server, two notebooks, saved and edited; charts without network."""

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from socket import socket
from types import SimpleNamespace

import jupytext
import nbformat
import pytest
from small_checkout import HEADER

from lethe.pages import lab, render, twins

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NAMES = ("glyphs", "traces")


@pytest.fixture
def no_cell_yet(monkeypatch):
    monkeypatch.setattr(lab, "_brought", {})


def run_cell(monkeypatch, cell: str, message: str) -> str:
    """What stands before a chart that a cell draws."""
    parent = {"metadata": {"cellId": cell}, "header": {"msg_id": message}}
    monkeypatch.setattr(lab, "get_ipython", lambda: SimpleNamespace(get_parent=lambda: parent))
    return lab.vega(lambda: "VEGA")


def test_one_cell_brings_vega_once_a_run(monkeypatch, no_cell_yet):
    assert "VEGA" in run_cell(monkeypatch, "a", "1")
    assert run_cell(monkeypatch, "a", "1") == lab.STYLE + lab.WAIT  # its second chart
    assert run_cell(monkeypatch, "b", "2") == lab.STYLE + lab.WAIT
    assert "VEGA" in run_cell(monkeypatch, "a", "3")  # run again: its output was replaced
    assert run_cell(monkeypatch, "b", "4") == lab.STYLE + lab.WAIT


def test_a_chart_in_the_lab_loads_nothing_from_the_web(monkeypatch, no_cell_yet):
    monkeypatch.delenv("LETHE_BOOK", raising=False)
    spec = {"title": ["t"], "mark": "point", "data": {"values": []}, "description": "d"}
    assert "https://cdn" in render.mimebundle(spec)["text/html"]  # elsewhere: Altair's own
    run_cell(monkeypatch, "other", "0")
    html = render.mimebundle(spec)["text/html"]
    assert html.startswith(lab.STYLE + lab.WAIT)
    assert "https://cdn" not in html


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A JupyterLab server on two pairs, started as `make lab` starts it."""
    root = tmp_path_factory.mktemp("lab") / "notebooks"
    root.mkdir()
    for name in NAMES:
        shutil.copy(NOTEBOOKS / f"{name}.py", root)
        nbformat.write(jupytext.read(root / f"{name}.py"), root / f"{name}.ipynb")
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token=secret"]
    command = [sys.executable, "-m", "jupyterlab", str(root), *options, f"--ServerApp.port={port}"]
    with open(root.parent / "log", "w") as log:
        process = subprocess.Popen(command, cwd=root.parent, stdout=log, stderr=log)
    found = SimpleNamespace(root=root, url=f"http://127.0.0.1:{port}")
    try:
        wait_for(found)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def wait_for(server) -> None:
    for _ in range(120):
        try:
            call(server, "GET", "/api/status")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise TimeoutError((server.root.parent / "log").read_text()[-2000:])


def call(server, method: str, path: str, body: dict | None = None) -> dict:
    headers = {"Authorization": "token secret", "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(server.url + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def save(server, name: str, notebook: dict) -> None:
    body = {"type": "notebook", "format": "json", "content": notebook}
    call(server, "PUT", f"/api/contents/{name}.ipynb", body)


@pytest.mark.slow
def test_saving_the_notebook_changes_both_files_and_sync_takes_the_outputs_out(server):
    notebook = call(server, "GET", "/api/contents/traces.ipynb")["content"]
    before = (server.root / "traces.py").read_text().splitlines()
    notebook["cells"][0]["source"] += "\n\nAdded in JupyterLab."
    code = next(cell for cell in notebook["cells"] if "install" in cell["metadata"].get("tags", []))
    code |= {"outputs": [{"output_type": "stream", "name": "stdout", "text": "said"}]}
    code["metadata"] |= {"execution": {"shell.execute_reply": "now"}, "collapsed": True}
    save(server, "traces", notebook)
    after = (server.root / "traces.py").read_text().splitlines()
    new = [line for line in after if line not in before]
    assert "# Added in JupyterLab." in new
    assert all("version" in line or "Added" in line for line in new)  # its own, in the header
    assert "said" in (server.root / "traces.ipynb").read_text()
    done = server.root / "done.ipynb"
    nbformat.write(jupytext.read(server.root / "traces.py"), done)
    twin = twins.make_twin(server.root / "traces.py", done)
    assert "Added in JupyterLab." in twin.cells[0].source
    assert not any(cell.get("outputs") for cell in twin.cells if not twins.is_checked(cell))


@pytest.mark.slow
def test_editing_the_source_shows_up_in_the_notebook_and_keeps_its_outputs(server):
    notebook = call(server, "GET", "/api/contents/glyphs.ipynb")["content"]
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "said"}]
    save(server, "glyphs", notebook)
    path = server.root / "glyphs.py"
    time.sleep(1)  # the newer file wins
    path.write_text(path.read_text().replace("# # The glyphs", "# # Edited: the glyphs"))
    seen = call(server, "GET", "/api/contents/glyphs.ipynb")["content"]
    assert seen["cells"][0]["source"].startswith("# Edited: the glyphs")
    assert any(cell.get("outputs") for cell in seen["cells"])


CHART = """# %%
import pandas as pd
from lethe.pages import charts

frame = pd.DataFrame({"x": [0, 1], "y": [0, 1]})
# %%
charts.show(charts.lines(frame, "x", "y", title="A line", description="A line."))
# %%
charts.show(charts.lines(frame, "x", "y", title="Another", description="Another line."))
"""


@pytest.mark.slow
def test_a_notebook_runs_in_the_browser_and_its_charts_need_no_network(server):
    playwright = pytest.importorskip("playwright.sync_api")
    browser_path = shutil.which("chromium")
    if not browser_path:
        pytest.skip("no chromium")
    notebook = jupytext.reads(HEADER + CHART, fmt="py:percent")
    nbformat.write(notebook, server.root / "chart.ipynb")
    asked = []
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/lab/tree/chart.ipynb?token=secret", timeout=120_000)
        page.get_by_text("| Idle").wait_for(timeout=120_000)  # the kernel is there
        page.get_by_role("menuitem", name="Run").first.click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.locator(".jp-OutputArea svg.marks").nth(1).wait_for(timeout=180_000)
        width = page.locator(".jp-OutputArea svg.marks").nth(1).bounding_box()["width"]
        page.screenshot(path=str(server.root.parent / "lab.png"))
        browser.close()
    assert width > 300
    assert not [url for url in asked if not url.startswith((server.url, "data:", "blob:"))]
