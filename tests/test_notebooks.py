"""The notebooks: twins in step, parameters that papermill sees, anatomy, and executions.

Every page runs twice: once as committed, its printed results compared by nbval, and once through
`lethe rerun` with other parameters; see `page_runs`.
"""

import ast
import json
import re
import shlex

import jupytext
import nbformat
import page_runs
import papermill
import pytest
from exercise_cells import (
    CHECK,
    FOLDED,
    SOLUTION,
    answers_in,
    asked,
    binds,
    code_by_exercise,
    exercises_of,
    section,
    student_copy,
    tags_of,
    taken_from_solutions,
    undefined,
)
from nbformat.v4 import new_code_cell, new_notebook
from page_runs import FOLDER, LAST, LIVE, OTHER, PAGES

from lethe.pages.exercises import LEVELS
from lethe.pages.parameters import read_parameters

FINDINGS = [name for name in PAGES if name.startswith("finding_")]
MAX_LINES = 10
CHECKED = "nbval-check-output"

ANATOMY = [
    r"^# Finding \d: .+\?$",
    r"^\*\*(The c|C)laim\b",
    r"^(\*\*)?You will learn\b",
    r"\bminutes\b",
    r"\b(You need|Prerequisites)\b",
    r"^## Parameters$",
    r"^## What the paper reports$",
    r"^## The number\b",
    r"^## Verdict$",
    r"^## Does it hold on a second data set\?$",
    r"^## Does it survive other choices\?$",
    r"^## Limits$",
    r"^## Exercises$",
    r"^## Rerun this page$",
]
"""What a finding's page holds, in this order (matched against its Markdown)."""

HEAD = [
    r"^# .+",
    r"^\*\*(Claim\b|In one sentence\.\*\* )",
    r"^\*\*You will learn\*\* \(1\) ",
    r"^\*\*Time\*\*: \d+ minutes to read, .*\bto rerun\b",
    r"(^| )\*\*You need\*\*: \S",
]
"""What the first cell of a page holds, in this order (matched with its paragraphs unwrapped)."""
SECTIONS = ["Parameters", "Limits", "Exercises", "Rerun this page"]
"""Sections of a page, in this order; others may stand between."""


def page(name: str) -> nbformat.NotebookNode:
    return jupytext.read(FOLDER / f"{name}.py")


def code(name: str) -> str:
    return "\n\n".join(cell.source for cell in page(name).cells if cell.cell_type == "code")


def prose(name: str) -> str:
    return "\n\n".join(cell.source for cell in page(name).cells if cell.cell_type == "markdown")


FORMED = [name for name in PAGES if name not in LAST]
EXERCISED = [name for name in PAGES if "\n## Exercises\n" in prose(name) + "\n"]


def tagged(notebook: nbformat.NotebookNode, tag: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_there_are_notebooks():
    others = {"quickstart", "traces", "glyphs", "photographs", "forgetting_curves"}
    others |= {"text_record"}
    others |= {"time_to_forgetting", "how_agreement_works", "ground_truth", "larger_networks"}
    others |= {"sampler_spaced_repetition"}
    others |= {"flow", "rehearsal"}
    others |= {"mixture_forgetting"}
    others |= {"factorial_seeds", "mass_or_drift"}
    others |= {"back_flow", "training_memory"}
    assert LAST | others <= set(PAGES)
    assert len(FINDINGS) == 5
    assert set(OTHER) == set(PAGES), "every page needs an entry in OTHER"


def outline(notebook: nbformat.NotebookNode) -> list[tuple]:
    """What source and twin must share: kind, text and tags of every cell."""
    return [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]


@pytest.mark.parametrize("name", PAGES)
def test_source_and_twin_are_in_step(name):
    twin = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    assert outline(twin) == outline(page(name)), f"run: jupytext --sync notebooks/{name}.py"
    source = jupytext.writes(twin, fmt="py:percent")
    assert strip_header(source) == strip_header((FOLDER / f"{name}.py").read_text("utf-8"))


def strip_header(text: str) -> str:
    return text.split("# ---\n", 2)[-1].strip()


@pytest.mark.parametrize("name", PAGES)
def test_the_twin_keeps_printed_results_only(name):
    """Outputs of other cells would change with every run and swell the repository."""
    twin = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    for cell in twin.cells:
        if cell.cell_type != "code":
            continue
        if CHECKED in cell.metadata.get("tags", []):
            assert [output.output_type for output in cell.outputs] == ["stream"], cell.source
        else:
            assert cell.outputs == [], cell.source


@pytest.mark.parametrize("name", PAGES)
def test_papermill_sees_every_parameter(name, tmp_path):
    cells = tagged(page(name), "parameters")
    assert len(cells) == 1
    lines = cells[0].source.strip().splitlines()
    declared = [
        node.target.id for node in ast.parse(cells[0].source).body
    ]  # annotated, all of them
    nbformat.write(page(name), tmp_path / f"{name}.ipynb")
    seen = papermill.inspect_notebook(str(tmp_path / f"{name}.ipynb"))
    assert list(seen) == declared
    assert len(lines) == len(declared), "one parameter a line, nothing else"
    known = read_parameters(tmp_path / f"{name}.ipynb")
    for parameter in known.values():
        assert parameter.help, f"{parameter.name} has no comment"
        assert isinstance(parameter.default, (int, float, str, bool, list))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_records_its_own_name_and_all_its_parameters(name):
    source = code(name)
    found = re.search(r"book\.start\(\s*\"(\w+)\"", source)
    assert found, "the page never calls book.start"
    assert found[1] == name
    parameters = tagged(page(name), "parameters")[0].source
    rest = source.replace(parameters, "")
    for node in ast.parse(parameters).body:
        quoted = f'"{node.target.id}"'
        assert quoted in rest, f"{quoted} is not in the record of the page"


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_has_its_parts_in_order(name):
    text, position = prose(name), 0
    for part in ANATOMY:
        found = re.compile(part, re.MULTILINE).search(text, position)
        assert found, f"{part} is missing, or not after what comes before it"
        position = found.start()


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_computes_its_verdict_and_ends_with_its_provenance(name):
    source, cells = code(name), page(name).cells
    assert re.search(r"book\.verdict\(", source)
    assert re.search(r"book\.(above|below|within)\(", source), "a verdict without a rule"
    assert cells[-1].source.strip() == "book.finish(page)"
    assert tagged(page(name), CHECKED), "no printed results for nbval"


@pytest.mark.parametrize("name", EXERCISED)
def test_exercises_climb_three_levels_and_have_folded_solutions(name):
    cells = section(page(name))
    found = exercises_of(cells)
    numbers, levels = [number for number, *_ in found], [level for _, level, *_ in found]
    assert 3 <= len(found) <= 5
    assert numbers == list(range(1, len(found) + 1))
    assert levels == sorted(levels)
    assert set(levels) == set(LEVELS)
    for number, level, word, body in found:
        assert word == LEVELS[level], f"exercise {number}"
        question, *solutions = body.split(FOLDED)
        assert question.strip(), f"exercise {number} asks nothing"
        assert len(solutions) == 1, f"exercise {number} needs one folded solution"
        assert solutions[0].split("```")[0].strip(), f"the solution of exercise {number} is empty"
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    old = re.findall(r"^\*\*\d+\.\*\*|^`+\{admonition\} Exercise|^\*\*Exercise", text, re.MULTILINE)
    assert len(old) == len(found), "an exercise in another form"


@pytest.mark.parametrize("name", EXERCISED)
def test_a_solution_cell_is_followed_by_its_check_cell(name):
    cells = list(code_by_exercise(section(page(name))))
    assert [tags_of(cell) for _, cell in cells] == [SOLUTION, CHECK] * (len(cells) // 2)
    least = 1 if name in LAST else 2
    assert len(cells) >= 2 * least, f"{least} exercises have an answer that can be checked"
    under = [number for number, _ in cells]
    assert under[::2] == under[1::2] == sorted(set(under))
    for number, solution in cells[::2]:
        assert f"answer_{number}" in binds(solution.source)
        assert set(answers_in(solution.source)) == {f"answer_{number}"}
    for number, cell in cells[1::2]:
        assert answers_in(cell.source) == [f"answer_{number}"], "an answer outside of the check"
        assert len(asked(cell)) == 1
        explains(asked(cell)[0], number)


def explains(call: ast.Call, number: int) -> None:
    """A check is of its own exercise, and has a hint and, for a value, common mistakes."""
    assert [ast.unparse(arg) for arg in call.args[:2]] == [str(number), f"answer_{number}"]
    given = {word.arg: word.value for word in call.keywords}
    assert "hint" in given, f"check {number} without a hint"
    if isinstance(given["hint"], ast.Constant):
        assert not given["hint"].value.endswith((".", "?")), "the check ends the hint"
    if call.func.attr == "check":
        assert getattr(given.get("traps"), "keys", ()), f"check {number} names no common mistake"


@pytest.mark.parametrize("name", EXERCISED)
def test_the_students_copy_lacks_no_name(name):
    codes = student_copy(page(name))
    for code in codes:
        ast.parse(code)
    assert not undefined(codes), "only a solution gives these names"
    assert not taken_from_solutions(page(name)), "a solution changes these names for later cells"


def test_names_that_only_a_solution_gives_are_found():
    """The static look itself, on a page of three cells."""
    answer = new_code_cell("import scipy\ntable = 2\nanswer_1 = 3", metadata={"tags": SOLUTION})
    for later, lacking in {"scipy": {"scipy"}, "[table for x in x]": {"x", "table"}}.items():
        cells = [new_code_cell("kept = 1"), answer, new_code_cell(later)]
        assert undefined(student_copy(new_notebook(cells=cells))) == lacking
    for later, changed in {"table = 1": set(), "lambda x: table + x": {"table"}}.items():
        cells = [new_code_cell("table = 1"), answer, new_code_cell(later), new_code_cell("kept")]
        assert taken_from_solutions(new_notebook(cells=cells)) == changed


@pytest.mark.parametrize("name", FORMED)
def test_a_page_says_first_what_it_is_and_takes(name):
    head = page(name).cells[0].source
    paragraphs = re.sub(r"(?<!\n)\n(?!\n)", " ", head)
    position = 0
    for part in HEAD:
        found = re.compile(part, re.MULTILINE).search(paragraphs, position)
        assert found, f"{part} is missing, or not after what comes before it"
        position = found.start()


@pytest.mark.parametrize("name", FORMED)
def test_a_page_ends_with_limits_exercises_and_rerun(name):
    headings = re.findall(r"^## (.+)$", prose(name), re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_takes_any_data_set_and_shows_a_second(name):
    source = tagged(page(name), "parameters")[0].source
    lines = source.splitlines()[:4]
    assert [line.split(":")[0] for line in lines] == ["dataset", "beside", "models", "preset"]
    assert [line.split("=")[1].split("#")[0].strip() for line in lines] == [
        '"glyphs"',
        '"cifar7"',
        '["test_resnet", "test_vit"]',
        '"quick"',
    ]
    assert re.search(r"OCTDL|CUB", prose(name)), "the paper's data sets are not named"


@pytest.mark.parametrize("name", PAGES)
def test_commands_on_a_page_name_real_pages_and_parameters(name, tmp_path):
    for line in re.findall(r"^lethe rerun .*$", prose(name), re.MULTILINE):
        words = shlex.split(line.split("#")[0])
        assert words[2] in PAGES, line
        nbformat.write(page(words[2]), tmp_path / "page.ipynb")
        known = read_parameters(tmp_path / "page.ipynb")
        given = [words[i + 1].split("=")[0] for i, word in enumerate(words) if word == "-p"]
        assert set(given) <= set(known), line


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_says_how_to_rerun_it(name):
    assert f"lethe rerun {name} -p " in prose(name).split("## Rerun this page")[1]


@pytest.mark.parametrize("name", PAGES)
def test_functions_in_notebooks_are_short(name):
    source = "\n".join(line for line in code(name).splitlines() if not line.startswith(("%", "!")))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            length = node.end_lineno - node.lineno + 1
            assert length <= MAX_LINES, f"{node.name} has {length} lines: it belongs in lethe"


@pytest.mark.parametrize("name", [name for name in PAGES if name not in LIVE])
def test_pages_read_traces_and_train_nothing(name):
    plain = r"(?! import samplers|\.rehearsal\b)"  # the modules that need no torch
    assert not re.search(rf"\b(import|from) (torch|timm|lethe\.capture)\b{plain}", code(name))


@pytest.mark.parametrize("name", PAGES)
def test_charts_come_from_the_library(name):
    assert not re.search(r"\b(import|from) (altair|matplotlib|plotly|seaborn)\b", code(name))


@pytest.fixture
def executions():
    """The runs of pages that this session has begun."""
    running = page_runs.RUNNING[0]
    running.wait_for()
    return running


def as_given(value: object) -> str:
    """A parameter as it is written on the command line."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_with_other_parameters(executions, name):
    problem = executions.rerun[name].result()
    assert not problem, problem
    record = json.loads((executions.folder / "rerun" / f"{name}.json").read_text())
    assert {key: as_given(value) for key, value in record["given"].items()} == OTHER[name]
    for key, value in record["given"].items():
        assert record["parameters"][key] == value
    assert (executions.folder / "rerun" / f"{name}.html").stat().st_size < 4_000_000
    if name in FINDINGS:
        results = record["results"].values()
        assert any(r["null"] is not None and r["ceiling"] is not None for r in results)
        assert record["verdicts"]
        assert all(len(store["sha256"]) == 64 for store in record["stores"])


@pytest.mark.parametrize("name", [name for name in PAGES if name not in LIVE])
def test_printed_results_are_those_committed(executions, name):
    problem = executions.nbval[name].result()
    assert not problem, problem
