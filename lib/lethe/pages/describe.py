"""`lethe rerun --list` and `--describe`: the pages, the parameters of one. Cost: 0.1 s a page."""

import re
import shutil
import tempfile
import textwrap
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from lethe.pages import findings, rerun
from lethe.pages.about import About, about
from lethe.pages.parameters import CHOICES, Parameter, allowed, read_parameters

LEAST_WIDTH = 100  # columns, where the output is no terminal


def list_pages() -> list[str]:
    """A line for each page that can be run again: its name, blanks, its title."""
    titles = {name: _about(name).title for name in rerun.list_pages()}
    titles[findings.GROUP] = "all five findings, with an index of their verdicts"
    width = max(map(len, titles)) + 2
    return [f"{name:{width}}{title}" for name, title in titles.items()]


def describe(name: str) -> str:
    """Title, claim, times and a table of the parameters of a page, or of all finding pages."""
    if name == findings.GROUP:
        return "\n".join(describe(page) for page in findings.finding_pages())
    with tempfile.TemporaryDirectory() as folder:
        known = read_parameters(rerun.source(name, Path(folder)))
    width = max(LEAST_WIDTH, shutil.get_terminal_size().columns)
    return "\n".join([*_head(name, width), "", _table(list(known.values()), width)])


def _about(name: str) -> About:
    return about(rerun.ROOT / "notebooks" / f"{name}.py", rerun.ROOT / "_build" / "results")


def _head(name: str, width: int) -> list[str]:
    page = _about(name)
    built = "never built" if page.seconds is None else f"{page.seconds:.0f} s in the last build"
    lines = [f"{name}: {page.title}", *textwrap.wrap(page.claim, width)]
    return [*lines, f"To read: {page.reading}. To rerun: {page.running} ({built})."]


def _table(known: list[Parameter], width: int) -> str:
    """The parameters as a table of text."""
    if not known:
        return "It has no parameters."
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("name", "type", "default", "allowed", "meaning"):
        table.add_column(column, overflow="fold", no_wrap=column in ("name", "default"))
    for parameter in known:
        meaning = re.sub(r"[;,.]?\s*$", "", CHOICES.sub("", parameter.help))
        cells = (parameter.name, _kind(parameter), _default(parameter), allowed(parameter), meaning)
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    console = Console(width=width, highlight=False, no_color=True)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip() + "\n"


def _kind(parameter: Parameter) -> str:
    return f"list of {parameter.item}" if parameter.kind == "list" else parameter.kind


def _default(parameter: Parameter) -> str:
    """The default as it is written on the command line."""
    default = parameter.default
    if isinstance(default, list):
        return ",".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default) or "(empty)"
