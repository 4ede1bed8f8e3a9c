"""One page with several values of a parameter: a page for each, and an index that compares them.

`-p top_fraction=0.05,0.1,0.2`; for a list, and wherever a value holds a comma, a semicolon stands
between the values: `-p 'models=a,b;c,d'`. Several such parameters make a grid. Cost: the pages' own
time, two at a time.
"""

import itertools
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lethe.errors import LetheError
from lethe.pages import grid_index, own_traces, rerun
from lethe.pages.parameters import (
    Parameter,
    check_each,
    check_names,
    check_values,
    convert,
    read_parameters,
)

MOST = 30  # pages in one grid


def rerun_page(name: str, given: Mapping[str, str], out: Path | None = None) -> Path:
    """Run a page with parameters `given` as text, once for each combination of their values.

    Returns OUT/NAME.html for one value each; else OUT/index.html, with each page in a folder named
    by its values. Everything is checked first: LetheError for what is refused and for more than 30
    pages. PageFailed when pages fail; the others are kept, and the index says which failed and why.
    """
    default = rerun.ROOT / "_build" / "rerun"
    with tempfile.TemporaryDirectory() as folder:
        known = read_parameters(rerun.source(name, Path(folder)))
    rows = combinations(name, known, _with_traces(name, known, given, out or default))
    for row in rows:
        check_values(name, known, row)
    command = rerun.command_line(name, given)
    if len(rows) == 1:
        return rerun.rerun(name, rows[0], out, command=command)
    return _run_grid(name, rows, default / name if out is None else Path(out), command)


def _with_traces(
    name: str, known: Mapping[str, Parameter], given: Mapping[str, str], out: Path
) -> dict[str, str]:
    """What is given, with traces of one's own as parameters of the page; the rest is checked."""
    rest = {key: text for key, text in given.items() if key in known or key != own_traces.NAME}
    for row in combinations(name, known, rest):
        check_each(name, known, row)
    return own_traces.resolve(name, known, given, Path(out) / own_traces.NAME)


def split_values(parameter: Parameter, text: str) -> list[str]:
    """The values in a text: a comma separates those of a scalar, a semicolon those of any."""
    if ";" in text:
        return [part.strip() for part in text.split(";")]
    return [text] if parameter.kind == "list" else [part.strip() for part in text.split(",")]


def combinations(
    name: str, known: Mapping[str, Parameter], given: Mapping[str, str]
) -> list[dict[str, str]]:
    """Every combination of the values `given`, the last parameter changing fastest.

    Raises LetheError for an unknown parameter, a value given twice and more than 30 pages.
    """
    check_names(name, known, given)
    values = {key: split_values(known[key], text) for key, text in given.items()}
    for key, texts in values.items():
        read = [convert(known[key], text) for text in texts]
        for number, value in enumerate(read):
            if value in read[:number]:
                raise LetheError(f"{key} has the value {texts[number]!r} twice")
    sizes = [len(texts) for texts in values.values() if len(texts) > 1]
    rows = [dict(zip(values, row)) for row in itertools.product(*values.values())]
    if len(rows) > MOST:
        product = " x ".join(map(str, sizes))
        raise LetheError(f"{product} = {len(rows)} pages; at most {MOST} at once: fewer values")
    return rows


def _run_grid(name: str, rows: list[dict[str, str]], out: Path, command: str) -> Path:
    out = rerun.make_folder(out)
    varied = [key for key in rows[0] if len({row[key] for row in rows}) > 1]
    labels = [", ".join(f"{key}={row[key]}" for key in varied) for row in rows]
    folders = folder_names(labels)
    jobs = {label: (name, row, out / folder) for label, row, folder in zip(labels, rows, folders)}
    failed = rerun.rerun_all(jobs)
    cases = [
        grid_index.Case({key: row[key] for key in varied}, folder, failed.get(label, ""))
        for label, row, folder in zip(labels, rows, folders)
    ]
    index = grid_index.write(out, name, cases, command)
    if failed:
        raise rerun.PageFailed(f"{len(failed)} of {len(rows)} pages failed; the index: {index}")
    return index


def folder_names(labels: list[str]) -> list[str]:
    """A folder name for each label, none twice, without signs that file systems or links mind."""
    names: list[str] = []
    for number, label in enumerate(labels, start=1):
        plain = re.sub(r"[^\w.=+-]+", "_", label)[:60]
        names.append(plain if plain not in names else f"{plain}-{number}")
    return names
