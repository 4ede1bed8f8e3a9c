"""Run one page again with other parameters: one HTML file and one JSON record of its results.

The page runs through papermill in the Python of this process, whatever other Jupyter kernels the
computer has. Cost: the page's own run time and about 5 seconds.
"""

import json
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from lethe.errors import LetheError, nearest
from lethe.pages.kernel import environment, this_python
from lethe.pages.parameters import Parameter, check_values, read_parameters
from lethe.pages.standalone import write_html

ROOT = Path(__file__).resolve().parents[3]


def list_pages() -> list[str]:
    """The names of the pages that can be run again, sorted."""
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))
    if not names:
        raise LetheError(f"no notebooks in {ROOT / 'notebooks'}; run this in a checkout of Lethe")
    return names


def describe(name: str) -> str:
    """The parameters of a page, one line each: name, type, default and meaning."""
    with tempfile.TemporaryDirectory() as folder:
        known = read_parameters(source(name, Path(folder)))
    lines = [f"{p.name} ({_kind(p)}, {p.default!r}): {p.help}" for p in known.values()]
    return "\n".join(lines) or f"{name} has no parameters"


def _kind(parameter: Parameter) -> str:
    return f"list of {parameter.item}" if parameter.kind == "list" else parameter.kind


def rerun(
    name: str, parameters: Mapping[str, str], out: Path | None = None, progress: bool = True
) -> Path:
    """Run a page with `parameters` given as text and return the HTML file, OUT/NAME.html.

    Beside it: NAME.json (parameters, results, verdicts, commit, stores with hashes, versions,
    seconds) and NAME.ipynb. `out` defaults to `_build/rerun` of the checkout. Raises LetheError for
    an unknown page, parameter or value, and when the page fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        page = source(name, work)
        values = check_values(name, read_parameters(page), parameters)
        out = make_folder(ROOT / "_build" / "rerun" if out is None else Path(out))
        results = _results_so_far(name, work / "results", out)
        with this_python(work), environment(LETHE_BOOK="1", LETHE_RESULTS=str(results)):
            _execute(name, page, out / f"{name}.ipynb", values, progress)
        record = _read_record(results / f"{name}.json")
    given = [f"-p {shlex.quote(f'{key}={text}')}" for key, text in parameters.items()]
    record |= {"given": values, "command": " ".join(["lethe", "rerun", name, *given])}
    path = out / f"{name}.json"
    path.write_text(json.dumps({"name": name} | record, indent=1), encoding="utf-8")
    print(f"results: {path}", flush=True)
    return write_html(out / f"{name}.ipynb", out / f"{name}.html", record["command"])


def source(name: str, work: Path) -> Path:
    """The page as a notebook in the folder `work`, made from its py:percent source."""
    known = list_pages()
    if name not in known:
        raise LetheError(f"unknown page {name!r}; {nearest(name, known)}")
    path = work / f"{name}.ipynb"
    nbformat.write(jupytext.read(ROOT / "notebooks" / f"{name}.py"), path)
    return path


def make_folder(out: Path) -> Path:
    """Make a folder, or use it, and return its full path; LetheError if nothing can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out.resolve()
    except OSError as error:
        reason = error.strerror or error
        raise LetheError(f"cannot write in {out}: {reason}; choose another --out") from None


def _execute(name: str, page: Path, executed: Path, values: dict[str, Any], progress: bool) -> None:
    options = {"kernel_name": "python3", "cwd": str(ROOT), "log_output": False}
    try:
        papermill.execute_notebook(page, executed, values, progress_bar=progress, **options)
    except PapermillExecutionError as error:
        lines = (error.evalue or error.ename).strip().splitlines()
        raise LetheError(
            f"{name} stopped: {lines[0] if lines else error.ename}; as far as it came: {executed}"
        ) from None


def _results_so_far(name: str, results: Path, out: Path) -> Path:
    """The other pages' results, for the front page: those in `out`, else those of the book."""
    results.mkdir()
    for folder in (ROOT / "_build" / "results", out):
        for path in folder.glob("*.json"):
            if path.stem != name:
                shutil.copy(path, results)
    return results


def _read_record(path: Path) -> dict[str, Any]:
    """What the page recorded; a page without results has none."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {"results": {}}
