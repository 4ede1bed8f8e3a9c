"""The benchmark's own arithmetic: operations counted by hand, roofs, the gap between seeds."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import roof  # noqa: E402
import seeds_gap  # noqa: E402
import timm_pipeline  # noqa: E402


def small():
    """A convolution and a linear layer whose operations are counted easily."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(256, 5))


def test_operations_and_outputs_are_those_counted_by_hand():
    work = roof.work_of(small(), 8)
    forward = 2 * 64 * 4 * 27 + 2 * 256 * 5  # two operations a multiplication
    assert work.forward_flops == forward
    # backward: the gradient of both weights, and of the linear layer's input
    assert work.training_flops == forward + (2 * 64 * 4 * 27 + 2 * 256 * 5) + 2 * 256 * 5
    assert work.outputs == 256 + 256 + 5
    assert work.parameters == 4 * 27 + 256 * 5 + 5


def test_counting_leaves_the_model_as_it_was():
    model = small().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    roof.work_of(model, 8)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_roof_is_the_smaller_of_two_rates():
    work = roof.Work(forward_flops=100, training_flops=300, outputs=10, parameters=8)
    device = roof.Roof(flops=3000.0, bandwidth=8000.0, width=4)
    found = roof.ceiling(work, device, batch=4, training=True)
    assert found["arithmetic"] == 10
    assert found["bandwidth"] == pytest.approx(8000 / (3 * 2 * 10 * 4 + 28 * 8 / 4))
    assert found["roof"] == 10
    eval_pass = roof.ceiling(work, device, batch=4, training=False)
    assert eval_pass["bandwidth"] == 100
    assert eval_pass["roof"] == 30


def test_own_seconds_do_not_count_sleep():
    import time

    span = roof.measure(lambda: time.sleep(0.05), torch.device("cpu"))
    assert span.wall >= 0.05
    assert span.own < 0.04


def test_the_gap_is_split_into_work_and_waiting():
    steps = [(0.0, 1.0), (1.0, 2.0), (10.0, 11.0), (11.0, 12.0)]
    work = [(2.5, 4.5), (6.0, 9.0), (12.5, 13.0)]
    found = seeds_gap.summary(steps, work, [2])
    assert found == {"gap_seconds": 8.0, "waiting_seconds": 3.0}


def test_the_rivals_folder_holds_every_class(tmp_path):
    timm_pipeline.write_folder(tmp_path, 25, 16, classes=5)
    files = list(tmp_path.rglob("*.jpg"))
    assert len(files) == 25
    assert len({file.parent for file in files}) == 5
    assert len({file.read_bytes() for file in files}) == 25


@pytest.mark.slow
def test_a_rehearsed_benchmark_writes_its_table_and_goes_on_from_its_file(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "capture.py"), "--rehearse", "--device", "cpu"]
    command += ["--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "capture.md").read_text()
    assert "| test_resnet 32px batch 64 eager |" in table
    assert "Between two seeds" in table
    before = (tmp_path / "capture.json").read_text()
    subprocess.run(command, check=True, capture_output=True)
    cells = before.split('"environment"')[0]
    assert (tmp_path / "capture.json").read_text().startswith(cells)


@pytest.mark.slow
def test_agreement_benchmark_prints_its_ratios(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "agreement.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| Spearman, 190 pairs |" in (tmp_path / "agreement.md").read_text()
