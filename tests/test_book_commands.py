"""The commands on the prose pages: each exists, with its options, and names pages that exist."""

import re
import shlex
from pathlib import Path

import jupytext
import nbformat
import pytest
from typer.main import get_command

from lethe.cli import app
from lethe.pages import findings, own_traces
from lethe.pages.parameters import read_parameters

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "book").glob("*.md")), ROOT / "README.md"]
COMMAND = re.compile(r"^(?:\.venv/bin/)?lethe (.+)$", re.MULTILINE)
LINES = [
    (path.name, line)
    for path in PAGES
    for line in COMMAND.findall(re.sub(r" *\\\n *", " ", path.read_text("utf-8")))
]


def known(page: str, folder: Path) -> dict:
    """The parameters of a page, or of all findings."""
    pages = findings.finding_pages() if page == findings.GROUP else [page]
    found = {}
    for name in pages:
        nbformat.write(jupytext.read(ROOT / "notebooks" / f"{name}.py"), folder / f"{name}.ipynb")
        found |= read_parameters(folder / f"{name}.ipynb")
    return found


def test_there_are_commands_on_the_pages():
    assert len(LINES) > 10
    assert {"run_it.md", "run_the_paper.md", "README.md"} <= {page for page, _ in LINES}


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_exists_with_its_options(page, line, tmp_path):
    words = shlex.split(line, comments=True)
    command = get_command(app)
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"{page}: lethe {line}"
        command = command.commands[name]
    command.make_context(name, list(words))  # a usage error is an exception
    if name == "rerun" and "--list" not in words:
        given = [words[k + 1].split("=")[0] for k, word in enumerate(words) if word == "-p"]
        takes = {*known(words[0], tmp_path), own_traces.NAME}
        assert set(given) <= takes, f"{page}: lethe {line}"


def test_the_three_commands_for_images_of_ones_own_stand_together():
    text = (ROOT / "book" / "run_it.md").read_text("utf-8")
    block = next(part for part in text.split("```") if "--root" in part)
    verbs = [line.split()[1] for line in block.strip().splitlines()]
    assert verbs == ["capture", "rerun", "book"]
