"""What Binder builds: pins as in the lock, no torch; the environment itself and a page in it."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
MEMORY = 2000  # MB that Binder grants


@pytest.fixture(scope="module")
def script() -> dict:
    return runpy.run_path(str(ROOT / "scripts" / "binder_requirements.py"))


def test_the_requirements_are_as_the_lock_has_them(script):
    lines = (BINDER / "requirements.txt").read_text().splitlines()[1:]
    assert lines
    assert set(lines) <= set(script["locked"]().values()), "run scripts/binder_requirements.py"


def test_they_hold_all_that_the_library_asks_for_and_no_torch(script):
    text = (BINDER / "requirements.txt").read_text()
    names = {line.split("=")[0] for line in text.splitlines()[1:]}
    asked = {requirement.name for requirement in script["wanted"]()}
    assert asked <= names
    assert {"jupyterlab", "jupytext"} <= names
    assert not names & {"torch", "torchvision", "timm", "safetensors", "playwright"}
    assert not [name for name in names if name.startswith(("nvidia", "sphinx"))]
    assert text == script["text"](), "run scripts/binder_requirements.py"


def test_postbuild_can_be_executed_and_the_python_is_one_that_lethe_takes():
    assert os.access(BINDER / "postBuild", os.X_OK)
    assert (BINDER / "runtime.txt").read_text().strip() in ("python-3.11", "python-3.12")


@pytest.mark.slow
def test_a_page_runs_in_the_environment_that_binder_builds(tmp_path):
    """As Binder does it: a clone, requirements.txt, postBuild; then `lethe rerun` without torch."""
    work, python = tmp_path / "work", tmp_path / "venv" / "bin" / "python"
    subprocess.run(["git", "clone", "-q", ROOT, work], check=True)
    shutil.copytree(BINDER, work / "binder", dirs_exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    install = [python, "-m", "pip", "install", "-q", "--no-cache-dir", "-r"]
    subprocess.run([*install, "binder/requirements.txt"], cwd=work, check=True)
    env = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "binder/postBuild"], cwd=work, env=env, check=True)
    found = "import importlib.util; print(importlib.util.find_spec('torch'))"
    assert subprocess.check_output([python, "-c", found], text=True).strip() == "None"
    few = ["-p", "bootstrap=20", "--out", str(tmp_path / "out")]
    subprocess.run([python.parent / "lethe", "rerun", "traces", *few], cwd=work, check=True)
    record = json.loads((tmp_path / "out" / "traces.json").read_text())
    assert record["verdicts"]
    assert record["peak_memory_mb"] < MEMORY
    lab = subprocess.run([python, "-m", "jupyterlab", "--version"], capture_output=True, text=True)
    assert lab.returncode == 0, lab.stderr
