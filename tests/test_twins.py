"""Twins: equal sources give equal files, and only the checked cells keep what they printed."""

import jupytext
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output

from lethe.errors import LetheError
from lethe.pages import twins

SOURCE = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A page

# %% tags=["parameters"]
n: int = 3  # how many

# %%
print("not kept", n)

# %% tags=["nbval-check-output"]
print(n)
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "page.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def executed(source, tmp_path):
    """The page as papermill leaves it: outputs, and a cell with the given parameters."""
    notebook = jupytext.read(source)
    for cell, said in zip(notebook.cells[2:], ("not kept 3\n", "3\n"), strict=True):
        cell.outputs = [new_output("stream", name="stdout", text=said)]
        cell.outputs.append(new_output("stream", name="stderr", text="a warning\n"))
    given = new_code_cell("n = 3", metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(2, given)
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    return tmp_path / "executed.ipynb"


def test_only_checked_cells_keep_what_they_printed(source, executed):
    twin = twins.make_twin(source, executed)
    kept = [[o.text for o in cell.get("outputs", [])] for cell in twin.cells]
    assert kept == [[], [], [], ["3\n"]]
    assert [cell.source for cell in twin.cells] == [c.source for c in jupytext.read(source).cells]
    assert twin.cells[3].execution_count is not None  # or nbval would not compare


def test_equal_sources_give_equal_twins(source, executed):
    first, second = (nbformat.writes(twins.make_twin(source, executed)) for _ in range(2))
    assert first == second


def test_results_of_another_source_are_refused(source, executed):
    source.write_text(SOURCE.replace("print(n)", "print(n + 1)"))
    with pytest.raises(LetheError, match="has changed since it was executed"):
        twins.make_twin(source, executed)


def test_missing_results_are_refused_only_where_wanted(source, tmp_path):
    with pytest.raises(LetheError, match="has not been executed yet"):
        twins.make_twin(source, tmp_path / "absent.ipynb")
    source.write_text(SOURCE.replace("nbval-check-output", "other"))
    twin = twins.make_twin(source, tmp_path / "absent.ipynb")
    assert all(not cell.get("outputs") for cell in twin.cells)
