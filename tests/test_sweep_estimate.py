"""lethe.capture.sweep.estimate: hours from measured rates, disk from the format, problems named."""

import json

import numpy as np
import pandas as pd
import pytest
from tiny_captures import capture

from lethe.capture import plan_run
from lethe.capture.sweep import estimate, rates
from lethe.capture.sweep.rates import Rate


def plan(seed=0, **choices):
    return plan_run("glyphs", "test_resnet", seed=seed, **{"weights": "none", **choices})


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    """No graphics card, whatever this machine has."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def finished_run(out, seed, seconds, views=("eval",), device="cpu", images=100):
    """A finished run whose epochs took these seconds, its clean passes 1 s."""
    run = plan(seed, views=views)
    folder = out / run.name
    (folder / "epochs").mkdir(parents=True)
    for epoch, spent in enumerate(seconds):
        metrics = {"seconds": spent, "record_seconds": 1.0}
        record = {"metrics": metrics, "sha256": {}, "hashes": {}}
        (folder / "epochs" / f"eval-{epoch:04d}.commit.json").write_text(json.dumps(record))
    manifest = {"config": run.config(), "environment": {"device": device}, "weights_sha256": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    pd.DataFrame({"sample_id": range(images)}).to_parquet(folder / "samples.parquet")
    (folder / "done.json").write_text(json.dumps({"epochs": len(seconds)}))


def test_a_rate_is_seconds_an_image_and_a_pause_does_not_count(tmp_path):
    finished_run(tmp_path, 0, [4.0, 2.0, 2.0, 2.0, 500.0])
    found = rates.from_runs("test_resnet", 32, False, tmp_path)
    source = f"1 finished runs in {tmp_path}"
    assert found == Rate(0.02, 0.01, 0.04, "cpu", source)
    assert rates.from_runs("test_resnet", 64, False, tmp_path) is None
    assert rates.from_runs("test_resnet", 32, True, tmp_path) is None
    assert rates.from_runs("test_vit", 32, False, tmp_path) is None


def test_damaged_and_foreign_folders_are_passed_over(tmp_path):
    finished_run(tmp_path, 0, [1.0, 2.0])
    for seed, name, text in ((1, "manifest.json", "{"), (2, "done.json", '{"epochs": 9}')):
        finished_run(tmp_path, seed, [9.0, 9.0])
        (tmp_path / plan(seed).name / name).write_text(text)
    finished_run(tmp_path, 3, [9.0, 9.0])
    (tmp_path / plan(3).name / "epochs" / "eval-0001.commit.json").write_text('{"metrics": {}}')
    assert rates.from_runs("test_resnet", 32, False, tmp_path).train == 0.02


def test_the_hours_add_up(tmp_path):
    finished_run(tmp_path, 0, [4.0, 2.0, 2.0])
    runs = [plan(0), plan(1, limit=1000, epochs=10)]
    lines = estimate.report(runs, tmp_path, "cpu")
    assert lines[0] == "2 runs, 1 of them done"
    clean = 1000 * 11 + 6200 * 11  # the training images after every epoch, the test images too
    seconds = 1000 * (10 * 0.02 + 0.04) + clean * 0.01
    assert lines[1] == "test_resnet at 32 pixels: 1 runs, 17 min each"
    assert lines[2] == f"    measured on cpu: 1 finished runs in {tmp_path}"
    assert f"{seconds / 3600:.3g} CPU-hours (17 min on one worker)" in lines[3]
    assert seconds == 1032


def test_bytes_are_those_of_a_real_run(tmp_path):
    folder = capture(tmp_path, limit=124, epochs=2)
    real = sum(path.stat().st_size for path in folder.glob("epochs/eval-*.parquet"))
    assert estimate.bytes_a_sample() == pytest.approx(18, rel=0.15), "4 numbers and their indices"
    weights = (folder / "weights.safetensors").stat().st_size
    cost = estimate.cost(plan(limit=124, epochs=2), None)
    assert cost.seconds is None
    assert estimate.weight_bytes("test_resnet", 32) == pytest.approx(weights, rel=0.5)
    assert real < 5 * 124 * 3 * estimate.bytes_a_sample(), "a small file has a head of its own"


def test_without_a_run_the_rate_is_a_stores_and_says_so(tmp_path, monkeypatch):
    found = rates.find_rate("test_resnet", 32, False, tmp_path, "glyphs")
    assert found.source == "the store glyphs-test_resnet-quick"
    assert found.device == "cpu"
    assert 1e-5 < found.train < 1e-2
    monkeypatch.setattr(rates, "list_traces", list)
    lines = estimate.report([plan(limit=62)], tmp_path, "cpu")
    assert lines[1].endswith("1 runs, time unknown")
    assert lines[3].startswith("together at least 0 CPU-hours")


def test_a_store_of_another_loop_is_passed_over(monkeypatch, tmp_path):
    import xarray as xr

    other = xr.Dataset(attrs={"manifests": "[{}]", "config": "{}"})
    monkeypatch.setattr(rates, "list_traces", lambda: ["a-test_resnet-own"])
    monkeypatch.setattr(rates, "open_traces", lambda name: other)
    assert rates.from_stores("test_resnet", 32, False) is None


def test_what_would_fail_is_said_before(tmp_path):
    missing = [plan(seed, weights="lethe", pixels=64) for seed in range(3)]
    nowhere = plan_run("octdl", "resnet18", preset="paper", weights="none", root=str(tmp_path))
    lines = estimate.report([*missing, nowhere, plan(limit=62)], tmp_path, "cpu")
    problems = [line for line in lines if line.startswith("would fail")]
    assert "would fail, 3 runs: no weights file 'test_resnet-64px-glyphs" in problems[0]
    assert problems[1].startswith("would fail, 1 runs: ")


def test_medians_over_seeds_and_epochs():
    seconds = np.array([[8.0, 2.0, 2.0], [4.0, 4.0, 4.0]])
    found = rates.rate(seconds, np.ones((2, 3)), 100, "cpu")
    assert (found.train, found.clean, found.warm) == (0.03, 0.01, 0.06)
