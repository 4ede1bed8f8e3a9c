"""scripts/sweep.*: the Slurm array with an sbatch that is played, and the Kubernetes recipe."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import sweep_runs
import yaml
from tiny_captures import contents
from typer.main import get_command

from lethe.capture.sweep import read_sweep
from lethe.cli import app

SCRIPTS = Path(__file__).parents[1] / "scripts"
LETHE = f"{sys.executable} -m lethe_stand_in"
STAND_IN = "from lethe.cli import main\nif __name__ == '__main__':\n    main()\n"
# says what it was asked, then runs the array's tasks one after another, as Slurm would
SBATCH = """#!/usr/bin/env bash
echo "$@" > asked.txt
range=${1#--array=}; last=${range%%%*}; last=${last#*-}
while [[ $1 == --* ]]; do shift; done
cp "$1" spooled; shift
for ((k = 1; k <= last; k++)); do SLURM_ARRAY_TASK_ID=$k bash spooled "$@" || echo "$k failed"; done
"""


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A folder to work in, with an sbatch on the path."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sbatch").write_text(SBATCH)
    (tmp_path / "bin" / "sbatch").chmod(0o755)
    (tmp_path / "lethe_stand_in.py").write_text(STAND_IN)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("LETHE", LETHE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_bash_understands_the_script():
    subprocess.run(["bash", "-n", str(SCRIPTS / "sweep.slurm")], check=True)
    text = (SCRIPTS / "sweep.slurm").read_text()
    assert len(re.findall(r"^#SBATCH ", text, flags=re.M)) >= 5
    assert text.index("#SBATCH") < text.index("set -euo"), "Slurm reads no option after a command"


def test_the_array_has_a_task_a_run_and_passes_options_on(node):
    """The command is played, too: how it is called is what counts."""
    (node / "lethe_stand_in.py").write_text(
        "import sys\nprint(*sys.argv[1:], file=open('calls.txt', 'a'))\n"
        "if '--list' in sys.argv: print('a\\nb\\nc')\n"
    )
    command = [str(SCRIPTS / "sweep.slurm"), "my sweep.toml", "runs", "--partition=gpu"]
    subprocess.run(command, check=True, env={**os.environ, "OPTIONS": "--device cuda --lease 60"})
    asked = (node / "asked.txt").read_text()
    assert asked.startswith("--array=1-3%32 --partition=gpu ")
    calls = (node / "calls.txt").read_text().splitlines()
    assert calls[0] == "sweep my sweep.toml --out runs --list"
    shared = "sweep my sweep.toml --out runs --device cuda --lease 60"
    assert calls[1:] == [f"{shared} --task {k}" for k in (1, 2, 3)]


@pytest.mark.slow
def test_an_array_captures_what_a_serial_capture_does(node):
    file = sweep_runs.write_sweep(node, "0-1", epochs=2)
    expected = sweep_runs.serial(file, node / "serial")
    environment = {**os.environ, "OPTIONS": "--device cpu"}
    command = [str(SCRIPTS / "sweep.slurm"), str(file), "runs"]
    for _ in range(2):  # given again, all is done
        told = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
        assert "failed" not in told.stdout.replace("0 failed", "")
    assert sweep_runs.captured(node / "runs", expected) == expected


@pytest.mark.slow
def test_a_line_of_the_job_list_is_a_command(node):
    """What GNU parallel, or `sed -n Kp`, would run."""
    file = sweep_runs.write_sweep(node, "0-1", epochs=1)
    listed = subprocess.run(
        [*shlex.split(LETHE), "sweep", str(file), "--out", "runs", "--device", "cpu", "--list"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert len(listed) == 2
    subprocess.run(listed[1].replace("lethe", LETHE, 1), shell=True, check=True)
    runs = read_sweep(file).runs
    assert "done.json" in contents(node / "runs" / runs[1].name)
    assert not (node / "runs" / runs[0].name).exists()


def commands(path):
    """The `lethe sweep` commands in a file's comments and arguments."""
    text = path.read_text().replace("\\\n#", "")
    return re.findall(r"^# +(lethe sweep .+)$", text, flags=re.M)


def test_commands_in_the_scripts_exist_with_their_options():
    found = commands(SCRIPTS / "sweep.slurm")
    assert found
    command = get_command(app).commands["sweep"]
    for line in found:
        command.make_context("sweep", shlex.split(line)[2:])


def test_the_kubernetes_recipe_is_yaml_and_fits_together():
    text = (SCRIPTS / "sweep.dask.yaml").read_text()
    assert "NOT RUN" in text
    cluster, job = yaml.safe_load_all(text)
    assert (cluster["kind"], job["kind"]) == ("DaskCluster", "Job")
    (worker,) = cluster["spec"]["worker"]["spec"]["containers"]
    (sweep,) = job["spec"]["template"]["spec"]["containers"]
    mounts = [each["volumeMounts"][0]["mountPath"] for each in (worker, sweep)]
    assert mounts == ["/shared", "/shared"]
    assert worker["image"] == sweep["image"]
    get_command(app).commands["sweep"].make_context("sweep", sweep["command"][2:])
    assert f"tcp://{cluster['metadata']['name']}-scheduler:8786" in sweep["command"]
    selector = cluster["spec"]["scheduler"]["service"]["selector"]
    assert selector["dask.org/cluster-name"] == cluster["metadata"]["name"]
