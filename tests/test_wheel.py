"""Lethe as a package without its repository: what the wheel holds, and what works and says what.

The wheel is built from a copy of the sources and unpacked in front of this environment, seen from
another folder and with torch hidden. A slow test installs it in a new environment (2 minutes).
"""

import json
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import setuptools
from packaging.version import Version

import lethe

ROOT = Path(__file__).parents[1]
OLD_LICENCE = (r'license = "MIT"\nlicense-files = .*', 'license = {text = "MIT"}')
BUILD = "from setuptools import build_meta; print(build_meta.build_wheel('wheel'))"

WITHOUT_TORCH = """
import sys

class Hidden:
    def find_spec(self, name, *_):
        if name in ("torch", "torchvision", "timm"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""

USE = """
import json
import numpy as np
import lethe

for seed in range(2):
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 2
    names = dict(dataset="points", model="softmax", seed=seed, classes=["left", "right"])
    ids = [f"point-{i}" for i in range(40)]
    with lethe.TraceRecorder(f"runs/seed{seed}", sample_ids=ids, labels=labels, **names) as run:
        for _ in range(4):
            run.record(ids, rng.normal(size=(40, 2)), labels)
            run.end_epoch()
lethe.compact(["runs/seed0", "runs/seed1"], "points-softmax-own.zarr.zip", view="train")
ds = lethe.open_traces("points-softmax-own.zarr.zip")
events = lethe.scores.score(ds, "forgetting_events")
matrix = lethe.agreement.spearman_matrix(events.values)
for name in set(lethe.__all__) - {"EpochSampler"}:  # the one that needs torch
    getattr(lethe, name)
print(json.dumps([lethe.__file__, lethe.__version__, ds.sizes["seed"], matrix.shape[0]]))
"""

COMMANDS = """
import contextlib, io, sys
from lethe import cli

told = {}
for command in json.load(sys.stdin):
    out, sys.argv = io.StringIO(), ["lethe", *command.split()]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            cli.main()
    except SystemExit as end:
        told[command] = [end.code or 0, out.getvalue()]
print(json.dumps(told))
"""
STORE = "points-softmax-own.zarr.zip"
REFUSED = {  # command -> how it ends, and what it says
    "rerun --list": (2, "the book is not in the installed package: clone the repository"),
    "rerun finding_1": (2, "the book is not in the installed package: clone the repository"),
    "book": (1, "the book is not in the installed package: clone the repository"),
    "course student": (1, "the book is not in the installed package: clone the repository"),
    "address": (1, "the book is not in the installed package: clone the repository"),
    "traces show glyphs-test_resnet-quick": (1, "no data: set LETHE_DATA"),
    "data label-noise glyphs symmetric:0.05": (1, "no data: set LETHE_DATA"),
    "capture glyphs": (1, "this needs torch: python -m pip install 'lethe[capture]'"),
}
WORKS = {
    "--help": "Which training images does a network learn",
    f"traces show {STORE}": "samples: 40",
    f"traces compact runs/seed0 --out one-{STORE} --view train": f"one-{STORE}",
    "rerun --help": "Run one page of the book",
}


def build(folder: Path) -> Path:
    """The wheel of a copy of the sources, made offline with the setuptools that is there."""
    source = folder / "source"
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "lib", source / "lib", ignore=leave)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    if Version(setuptools.__version__) < Version("77"):  # does not know licences by their name yet
        text = (source / "pyproject.toml").read_text("utf-8")
        (source / "pyproject.toml").write_text(re.sub(*OLD_LICENCE, text), "utf-8")
    command = [sys.executable, "-c", BUILD]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return source / "wheel" / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """Where the wheel lies, and what it said in another folder: of its use, and of its commands."""
    site, here = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    command = [sys.executable, "-c", WITHOUT_TORCH + USE + COMMANDS]
    paths = {"PYTHONPATH": str(site), "HOME": str(here), "NUMBA_DISABLE_JIT": "1"}
    given = json.dumps([*REFUSED, *WORKS])
    done = subprocess.run(
        command, cwd=here, env=paths, input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return site, *map(json.loads, done.stdout.splitlines()[-2:])


def test_the_wheel_holds_the_library_and_its_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
        entries = packed.read(f"lethe-{lethe.__version__}.dist-info/entry_points.txt").decode()
    sources = {p.relative_to(ROOT / "lib").as_posix() for p in (ROOT / "lib").rglob("*.py")}
    data = {"lethe/py.typed", "lethe/capture/interventions/audit_schema.json"}
    assert names == sources | data
    assert "lethe = lethe.cli:main" in entries
    assert wheel.name == f"lethe-{lethe.__version__}-py3-none-any.whl"


def test_a_run_is_recorded_packed_and_scored_without_repository_and_torch(elsewhere):
    site, (file, *found), _ = elsewhere
    assert Path(file).is_relative_to(site)
    assert found == [lethe.__version__, 2, 2]


def test_commands_work_or_say_what_is_missing(elsewhere):
    told = elsewhere[2]
    for command, (code, words) in REFUSED.items():
        assert told[command][0] == code, told[command]
        assert words in told[command][1].replace("\n", " ")
        assert len(told[command][1].strip().splitlines()) == 1, "one line, no traceback"
    for command, words in WORKS.items():
        assert told[command][0] == 0, told[command]
        assert words in told[command][1]


@pytest.mark.slow
def test_the_wheel_installs_in_a_new_environment_and_works_there(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", wheel], check=True)
    code = "import importlib.util as u; print(u.find_spec('torch') is None)"
    for script, words in ((USE, lethe.__version__), (code, "True")):
        command = [python, "-c", script]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert words in done.stdout
    for arguments, words in ((["traces", "show", STORE], "samples: 40"), (["book"], "clone")):
        command = [python.with_name("lethe"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert words in done.stdout + done.stderr
