"""Run one page again with other parameters: one HTML file and one JSON record of its results.

The page runs through papermill in the Python of this process, whatever other Jupyter kernels the
computer has. Cost: the page's own run time and about 5 seconds.
"""

import json
import shlex
import shutil
import tempfile
import textwrap
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from lethe.errors import LetheError, nearest
from lethe.pages.kernel import environment, this_python
from lethe.pages.parameters import check_values, read_parameters
from lethe.pages.standalone import write_html
from lethe.paths import need_checkout

ROOT = Path(__file__).resolve().parents[3]
WORKERS = 2
LONGEST_REASON = 300  # characters of an error, which may hold whole tables


class PageFailed(LetheError):
    """A page was run and stopped with an error; all that was given to it had been accepted."""


def list_pages() -> list[str]:
    """The names of the pages that can be run again, sorted."""
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))
    if not names:
        need_checkout("the book")
        raise LetheError(f"no notebooks in {ROOT / 'notebooks'}; run this in a checkout of Lethe")
    return names


def command_line(name: str, given: Mapping[str, str]) -> str:
    """The command that runs a page, or `findings`, with parameters given as text."""
    parts = [f"-p {shlex.quote(f'{key}={text}')}" for key, text in given.items()]
    return " ".join(["lethe", "rerun", name, *parts])


def rerun(
    name: str,
    parameters: Mapping[str, str],
    out: Path | None = None,
    progress: bool = True,
    command: str = "",
) -> Path:
    """Run a page with `parameters` given as text and return the HTML file, OUT/NAME.html.

    Beside it: NAME.json (parameters, results, verdicts, commit, stores with hashes, versions,
    seconds, peak memory, command) and NAME.ipynb. `out` defaults to `_build/rerun` of the checkout;
    `command` is what made the page, where that was another one. Raises LetheError for an unknown
    page, parameter or value, and PageFailed when the page stops with an error.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        page = source(name, work)
        values = check_values(name, read_parameters(page), parameters)
        out = make_folder(ROOT / "_build" / "rerun" if out is None else Path(out))
        results = _results_so_far(name, work / "results", out)
        for old in (out / f"{name}.html", out / f"{name}.json"):
            old.unlink(missing_ok=True)  # a page that fails leaves no results of an earlier run
        made_by = command or command_line(name, parameters)
        told = {"LETHE_BOOK": "1", "LETHE_RESULTS": str(results), "LETHE_COMMAND": made_by}
        with this_python(work), environment(**told):
            _execute(name, page, out / f"{name}.ipynb", values, progress)
        record = _read_record(results / f"{name}.json")
    record |= {"given": values, "command": made_by}
    (out / f"{name}.json").write_text(json.dumps({"name": name} | record, indent=1), "utf-8")
    return write_html(out / f"{name}.ipynb", out / f"{name}.html", record["command"])


Job = tuple[str, Mapping[str, str], Path]  # page, parameters as text, folder


def rerun_all(jobs: Mapping[str, Job]) -> dict[str, str]:
    """Run pages two at a time; returns what went wrong, by label. A page that fails stops none."""
    failed = {}
    began = time.time()
    with ProcessPoolExecutor(WORKERS) as pool:
        futures = {pool.submit(rerun, *job, False): label for label, job in jobs.items()}
        for number, future in enumerate(as_completed(futures), start=1):
            label = futures[future]
            error = future.exception()
            if error:
                failed[label] = str(error) or type(error).__name__
            told = f"failed: {failed[label]}" if error else f"done, {time.time() - began:.0f} s"
            print(f"  [{number}/{len(jobs)}] {label}: {told}", flush=True)
    return failed


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
        said = (error.evalue or error.ename).strip().splitlines() or [error.ename]
        why = textwrap.shorten(said[0], LONGEST_REASON, placeholder=" ...")
        raise PageFailed(f"{name} stopped: {why}; as far as it came: {executed}") from None
    except DeadKernelError:
        raise PageFailed(
            f"{name} stopped: its Python was ended from outside, most often for want of memory"
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
