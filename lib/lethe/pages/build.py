"""Build the book: papermill executes every notebook, Jupyter Book renders with execution off.

    python -m lethe.pages.build [--strict] [--only NAME ...] [--out DIR]

Notebooks run two at a time from the shipped traces, front page and claims last; results pass
between pages as JSON files. Then the pages are rendered and inspected (links, size, offline).
Cost: under three minutes on two cores.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import psutil
from papermill.exceptions import PapermillExecutionError

from lethe.errors import LetheError, nearest
from lethe.pages import not_found, provenance, status
from lethe.pages.inspect_html import problems
from lethe.pages.kernel import this_python
from lethe.pages.render import write_bundle
from lethe.paths import need_checkout

ROOT = Path(__file__).resolve().parents[3]
LAST_HTML = ROOT / "_build" / "html"
LAST = ("at_a_glance", "claims")  # they read what the other pages have found
FIRST = ("quickstart",)  # the slowest page starts first
WORKERS = 2
THREADS = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
Values = Mapping[str, Mapping[str, Any]]  # page -> parameter -> value other than the default


@dataclass(frozen=True)
class Outcome:
    """How the execution of one page ended; `error` is empty when it went well."""

    name: str
    seconds: float
    error: str = ""


def page_names(root: Path = ROOT) -> list[str]:
    """Return the names of all notebooks, the slowest first and those that read the others last."""
    names = sorted(path.stem for path in (root / "notebooks").glob("*.py"))
    if not names:
        need_checkout("the book")
        raise LetheError(f"no notebooks in {root / 'notebooks'}: run this in a checkout of Lethe")
    return sorted(names, key=lambda name: (name in LAST, name not in FIRST, name))


def execute(name: str, root: Path, out: Path, values: Values | None = None) -> Outcome:
    """Run one notebook, with its `values` if it has any, and write it to `out/source/notebooks`."""
    began = time.time()
    source = out / "work" / f"{name}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(with_folded_checks(jupytext.read(root / "notebooks" / f"{name}.py")), source)
    target = out / "source" / "notebooks" / f"{name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    options = {"progress_bar": False, "kernel_name": "python3", "cwd": str(root)}
    try:
        papermill.execute_notebook(source, target, dict((values or {}).get(name, {})), **options)
    except PapermillExecutionError as error:
        target.replace(out / "work" / f"{name}.ipynb")
        return Outcome(name, time.time() - began, f"cell {error.exec_count}: {error.evalue}")
    return Outcome(name, time.time() - began)


def with_folded_checks(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Fold the code of check cells, which names common mistakes; what they say stays in sight."""
    for cell in notebook.cells:
        if "check" in cell.metadata.get("tags", []):
            cell.metadata["tags"].append("hide-input")
    return notebook


def execute_all(
    names: Sequence[str], root: Path, out: Path, values: Values | None = None
) -> list[Outcome]:
    """Run the notebooks `names` two at a time, those that read the others' results last."""
    outcomes: list[Outcome] = []
    stages = [[n for n in names if n not in LAST], [n for n in names if n in LAST]]
    for stage in stages:
        failed = [outcome for outcome in outcomes if outcome.error]
        if not failed:
            done = (len(outcomes), len(names))
            outcomes += _stage(stage, done, root, out, values)
    return outcomes


def _stage(
    names: list[str], done: tuple[int, int], root: Path, out: Path, values: Values | None
) -> list[Outcome]:
    outcomes = []
    with stoppable_pool() as pool:
        futures = [pool.submit(execute, name, root, out, values) for name in names]
        for number, future in enumerate(as_completed(futures), start=done[0] + 1):
            outcome = future.result()
            outcomes.append(outcome)
            told = f"{outcome.name:34s} {outcome.seconds:5.1f} s  {outcome.error or 'done'}"
            print(f"  [{number}/{done[1]}] {told}", flush=True)
    return outcomes


@contextmanager
def stoppable_pool() -> Iterator[ProcessPoolExecutor]:
    """Worker processes that Ctrl-C ends at once, with the kernels that they have started."""
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(WORKERS, initializer=signal.signal, initargs=ignore) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            for worker in map(psutil.Process, list(pool._processes or ())):
                for process in [*worker.children(recursive=True), worker]:
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            raise


def copy_sources(root: Path, out: Path) -> None:
    """Lay out what Jupyter Book reads in `out/source`, next to the executed notebooks."""
    source = out / "source"
    shutil.copytree(root / "book", source / "book", dirs_exist_ok=True)
    shutil.copy(root / "_config.yml", source)
    write_bundle(source / "book" / "_static" / "vega-bundle.js")
    (source / "book" / "status.md").write_text(status.page(source, out / "results"), "utf-8")


def render(out: Path, strict: bool) -> Path:
    """Run Jupyter Book on `out/source` and return the folder of the pages, `out/html`."""
    source, work = out / "source", out / "sphinx"
    shutil.rmtree(work, ignore_errors=True)
    program = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    options = ["--config", source / "_config.yml", "--toc", source / "book" / "_toc.yml"]
    options += ["--path-output", work, "--quiet", *(["-W", "-n", "--keep-going"] if strict else [])]
    command = list(map(str, [*program, source, *options]))
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # warnings: stderr
    if done.returncode:
        raise LetheError(f"Jupyter Book ended with exit code {done.returncode}: see above")
    html = out / "html"
    shutil.rmtree(html, ignore_errors=True)
    shutil.move(work / "_build" / "html", html)
    not_found.write(html, source / "book" / "_toc.yml")
    return html


def build(
    out: Path,
    only: Sequence[str] = (),
    strict: bool = False,
    root: Path = ROOT,
    values: Values | None = None,
) -> Path:
    """Build the whole book, or only the pages `only` of a book built before, into `out/html`.

    Pages named in `values` are executed with these parameters, all others with their defaults.
    Raises LetheError for an unknown page, a notebook that fails, a page of which no execution
    exists, and, when `strict`, for any warning of Sphinx and any problem found in the pages.
    """
    began, names = time.time(), page_names(root)
    for name in only:
        if name not in names:
            raise LetheError(f"unknown page {name!r}: {nearest(name, names)}")
    if only:
        _stop_on_gaps([name for name in names if name not in only], out)
    shutil.rmtree(out / "work", ignore_errors=True)
    os.environ |= THREADS | {"LETHE_BOOK": "1", "LETHE_RESULTS": str(out / "results")}
    os.environ["LETHE_COMMIT"] = provenance.handed_on()
    chosen = [name for name in names if name in only or not only]
    print(f"== executing {len(chosen)} notebooks, {WORKERS} at a time", flush=True)
    with this_python(out / "work"), nullcontext() if only else replacing(out):
        outcomes = execute_all(chosen, root, out, values)
        _stop_on_failure(outcomes, out)
        copy_sources(root, out)
    print("== rendering with Jupyter Book", flush=True)
    html = render(out, strict)
    _report([*noise(out / "source" / "notebooks"), *problems(html)], strict)
    print(f"== {html / 'index.html'} after {time.time() - began:.0f} s", flush=True)
    return html


@contextmanager
def replacing(out: Path, folders: Sequence[str] = ("source", "results")) -> Iterator[None]:
    """Set the last build's folders aside, and put them back if this one does not come through."""
    aside = out / "last"
    for name in folders:
        if (out / name).is_dir() and not (aside / name).is_dir():
            aside.mkdir(exist_ok=True)
            (out / name).replace(aside / name)
        shutil.rmtree(out / name, ignore_errors=True)
    try:
        yield
    except BaseException:
        for name in folders:
            if (aside / name).is_dir():
                shutil.rmtree(out / name, ignore_errors=True)
                (aside / name).replace(out / name)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _stop_on_failure(outcomes: list[Outcome], out: Path) -> None:
    failed = [f"{outcome.name} ({outcome.error})" for outcome in outcomes if outcome.error]
    if failed:
        raise LetheError(f"failed: {'; '.join(failed)}; as far as they came: {out / 'work'}")


def _stop_on_gaps(names: list[str], out: Path) -> None:
    here = out / "source" / "notebooks"
    missing = [name for name in names if not (here / f"{name}.ipynb").is_file()]
    if missing:
        raise LetheError(f"not executed yet: {', '.join(missing)}; build once without --only")


def noise(notebooks: Path) -> list[str]:
    """Return one line for each cell on a page that wrote to stderr, where warnings go."""
    found = []
    for path in sorted(notebooks.glob("*.ipynb")):
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
            hidden = "remove-cell" in cell.metadata.get("tags", [])
            streams = [o.text for o in cell.get("outputs", []) if o.get("name") == "stderr"]
            if streams and not hidden:
                found.append(f"{path.stem}: cell {number} warns: {streams[0][:120]!r}")
    return found


def _report(found: list[str], strict: bool) -> None:
    for problem in found:
        print(f"  problem: {problem}", flush=True)
    if found and strict:
        raise LetheError(f"{len(found)} problems in the pages: see above")


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold the folder `out`, or refuse if another build is at work in it."""
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LetheError(f"another build is at work in {out}: wait, or use --out") from None
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, build, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lethe.pages.build", description=build.__doc__)
    parser.add_argument("--strict", action="store_true", help="any warning is an error")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="execute only these")
    parser.add_argument("--out", type=Path, default=ROOT / "_build", help="where to build")
    chosen = parser.parse_args(arguments)
    try:
        with alone(chosen.out):
            build(chosen.out.resolve(), chosen.only, chosen.strict)
    except LetheError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the last book is kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
