"""The two wings: what reads traces never imports torch, and modules import downwards only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "lib" / "lethe"
FLOORS = {"errors": 0, "paths": 0, "traces": 0, "datasets": 1, "analysis": 1, "capture": 2}
FLOORS |= {"pages": 3, "experiments": 3, "cli_course": 4, "cli_data": 4, "cli_sweep": 4}
FLOORS |= {"cli_traces": 4, "cli": 5}

IMPORT_ALL = """
import importlib, pkgutil, sys
for name in ("traces", "analysis", "datasets", "pages"):
    package = importlib.import_module(f"lethe.{name}")
    for module in pkgutil.walk_packages(package.__path__, f"lethe.{name}."):
        importlib.import_module(module.name)
importlib.import_module("lethe.cli")
print([name for name in ("torch", "torchvision", "timm", "safetensors") if name in sys.modules])
"""


def test_reading_traces_needs_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def imported(path: Path) -> set[str]:
    """The parts of lethe that a module imports, wherever in the file."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [
        f"lethe.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "lethe"
        for alias in node.names
    ]
    return {name.split(".")[1] for name in names if name.startswith("lethe.")}


@pytest.mark.parametrize("part", FLOORS)
def test_modules_import_from_floors_below_or_their_own(part):
    paths = [LIBRARY / f"{part}.py"] if (LIBRARY / f"{part}.py").is_file() else []
    for path in paths + sorted((LIBRARY / part).rglob("*.py")):
        for other in imported(path) - {part}:
            assert FLOORS[other] < FLOORS[part] or FLOORS[part] == 0, f"{path.name} -> {other}"
            assert {part, other} != {"analysis", "capture"}, "only traces joins the two wings"


def test_charts_load_no_grammar_of_web_addresses():
    """It would cost more than Altair itself, on every page."""
    command = "import lethe.pages.charts, sys; print('lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
