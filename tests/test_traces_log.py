"""The log: what is committed stays, what is not does not exist, and bad input is one clear line."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trace_runs import CLASSES, capture, epoch_arrays, manifest, samples, write

from lethe.errors import LetheError
from lethe.traces import is_finished, open_run, read_run


@pytest.fixture
def log(tmp_path):
    with open_run(tmp_path / "run", manifest(), samples()) as opened:
        yield opened


def test_a_run_reads_back_as_written(tmp_path):
    ds = read_run(capture(tmp_path / "run", seed=4))
    assert ds.sizes == {"epoch": 3, "sample": 6}
    assert ds["seed"].item() == 4
    for epoch in range(3):
        for name, expected in epoch_arrays(epoch, 4).items():
            found = ds[name].sel(epoch=epoch).values
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
    assert ds["sample"].values.tolist() == samples()["sample_id"].tolist()
    assert ds["identical_to"].values.tolist() == ["", *["é 0/a.png"] * 5]
    assert ds["is_symbol_font"].dtype == bool
    assert json.loads(ds.attrs["classes"]) == CLASSES


def test_metrics_and_hashes_are_kept_per_epoch(tmp_path):
    ds = read_run(capture(tmp_path / "run"))
    np.testing.assert_allclose(ds["test_accuracy"].values, [0.5, 0.51, 0.52])
    assert np.isnan(ds["train_loss"].values).all()
    assert ds["weights_hash"].values.tolist() == ["0w0", "0w1", "0w2"]


def test_views_are_kept_apart(log):
    write(log, 0)
    write(log, 1, view="train")
    assert (log.committed(), log.committed("train")) == ([0], [1])
    assert read_run(log.folder, "train").attrs["view"] == "train"
    with pytest.raises(LetheError, match="unknown view 'evla'; did you mean 'eval'"):
        log.committed("evla")


def test_a_sample_without_prediction_is_missing_not_zero(log):
    arrays = epoch_arrays(0)
    arrays["prediction"][2] = -1
    for name in ("loss", "margin", "error_l2"):
        arrays[name][2] = np.nan
    log.write_epoch(0, arrays, {}, {})
    ds = read_run(log.folder)
    assert ds["prediction"].values[0, 2] == -1
    assert np.isnan([ds[name].values[0, 2] for name in ("loss", "margin", "error_l2")]).all()


def broken(name, position, value):
    arrays = epoch_arrays(2)
    arrays[name][position] = value
    return arrays


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (broken("loss", [1, 3], np.nan), "epoch 2: 2 of 6 values of loss are NaN.*learning rate"),
        (broken("margin", 0, np.inf), "epoch 2: 1 of 6 values of margin are NaN or infinite"),
        (broken("loss", 0, 1e5), "loss exceeds 65504"),
        (broken("prediction", 0, 3), "prediction 3 is outside the 3 classes"),
        (broken("prediction", 0, -2), "prediction -2 is outside"),
        (broken("prediction", 0, -1), "has a value where the prediction is missing"),
        (epoch_arrays(2, n=5), r"prediction has shape \(5,\), expected \(6,\)"),
        (epoch_arrays(2) | {"loss": np.ones((6, 1))}, r"loss has shape \(6, 1\)"),
        (epoch_arrays(2) | {"prediction": np.ones(6)}, "prediction is float64"),
        (epoch_arrays(2) | {"los": np.ones(6)}, "unknown array 'los'; did you mean 'loss'"),
        ({"loss": np.ones(6)}, "no array 'prediction'"),
    ],
)
def test_a_bad_epoch_is_refused_and_committed_ones_survive(log, arrays, message):
    write(log, 0)
    write(log, 1)
    with pytest.raises(LetheError, match=message) as error:
        log.write_epoch(2, arrays, {}, {})
    assert "\n" not in str(error.value)
    assert log.committed() == [0, 1]
    assert read_run(log.folder).sizes["epoch"] == 2


def test_an_epoch_out_of_turn_is_refused(log):
    with pytest.raises(LetheError, match=r"epoch 1 .* would leave a gap; the next is 0"):
        write(log, 1)
    write(log, 0)
    with pytest.raises(LetheError, match=r"epoch 2 .* the next is 1"):
        write(log, 2)


def test_writing_an_epoch_again_needs_the_same_values(log):
    write(log, 0)
    before = (log.folder / "epochs/eval-0000.commit.json").read_bytes()
    log.write_epoch(0, epoch_arrays(0), {"seconds": 99.0}, {})
    assert (log.folder / "epochs/eval-0000.commit.json").read_bytes() == before
    with pytest.raises(LetheError, match="no exact resume"):
        log.write_epoch(0, epoch_arrays(0, seed=1), {}, {})


def change(frame, column, row, value):
    return frame.assign(**{column: frame[column].astype(object).where(frame.index != row, value)})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (change(samples(), "sample_id", 3, "é 0/a.png"), "'é 0/a.png' occurs more than once"),
        (change(samples(), "sample_id", 3, None), "row 3 of the samples has no sample_id"),
        (samples().assign(label=[0, 1, 2, 3, 0, 1]), "label 3 of 'é 3/d.png' is outside the 3"),
        (samples().assign(label=[0, 1, -1, 0, 0, 1]), "label -1 of 'é 2/c.png' is outside"),
        (samples().assign(label=0.5), "labels are float64"),
        (samples().iloc[:0], "no samples to record"),
        (samples().drop(columns="label"), "no column 'label'"),
        (samples().assign(loss=1.0), "column may not be called 'loss'"),
    ],
)
def test_bad_samples_are_refused(tmp_path, table, message):
    with pytest.raises(LetheError, match=message):
        open_run(tmp_path / "run", manifest(), table)
    assert not (tmp_path / "run").exists()


def test_reopening_goes_on_where_the_run_stopped(tmp_path):
    with open_run(tmp_path / "run", manifest(), samples()) as log:
        write(log, 0)
    with open_run(tmp_path / "run", manifest(), samples()) as log:
        assert log.committed() == [0]
        write(log, 1)
        assert not is_finished(log.folder)
        log.finish({})
    assert is_finished(tmp_path / "run")
    assert read_run(tmp_path / "run").sizes["epoch"] == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"recipe": {"lr": 0.2, "epochs": 3}}, "config.recipe.lr is 0.1 there and 0.2 here"),
        ({"seed": 1}, "config.seed is 0 there and 1 here"),
        ({"extra": True}, "config.extra is 'absent' there and True here"),
    ],
)
def test_another_configuration_is_refused_by_the_differing_key(log, config, message):
    log.close()
    with pytest.raises(LetheError, match=message):
        open_run(log.folder, manifest(**config), samples())
    open_run(log.folder, manifest(), samples()).close()  # the refusal gave the lock back


def test_other_samples_are_refused(log):
    log.close()
    with pytest.raises(LetheError, match="begun with 6 samples, not 5"):
        open_run(log.folder, manifest(), samples(5))
    foreign = change(samples(), "sample_id", 2, "foreign")
    with pytest.raises(LetheError, match=r"sample_id of row 2 is 'é 2/c.png' there and 'foreign'"):
        open_run(log.folder, manifest(), foreign)
    with pytest.raises(LetheError, match="image_hash of row 1"):
        open_run(log.folder, manifest(), change(samples(), "image_hash", 1, "beef"))


@pytest.mark.parametrize("part", ["config", "dataset"])
def test_a_manifest_must_say_what_was_run(tmp_path, part):
    with pytest.raises(LetheError, match=f"the manifest has no {part}"):
        open_run(tmp_path / "run", manifest() | {part: {}}, samples())


def test_two_processes_cannot_write_one_run(log):
    code = (
        "import sys; from trace_runs import manifest, samples; from lethe.traces import open_run\n"
        "open_run(sys.argv[1], manifest(), samples())"
    )
    command = [sys.executable, "-c", code, str(log.folder)]
    other = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    assert other.returncode != 0
    assert "is being written by another process" in other.stderr
    write(log, 0)
    log.close()
    assert subprocess.run(command, cwd=Path(__file__).parent).returncode == 0


def test_a_closed_log_writes_no_more(log):
    log.close()
    with pytest.raises(LetheError, match="is closed"):
        write(log, 0)


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_a_changed_epoch_file_is_found(log, harm):
    write(log, 0)
    path = log.folder / "epochs/eval-0000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data[:50] if harm == "truncate" else data)
    if harm == "remove":
        path.unlink()
    log.close()
    message = "eval-0000.parquet (has changed since|is missing though)"
    with pytest.raises(LetheError, match=message):
        read_run(log.folder)
    with pytest.raises(LetheError, match=message):
        open_run(log.folder, manifest(), samples())


def test_a_gap_in_the_epochs_is_found(tmp_path):
    run = capture(tmp_path / "run")
    (run / "epochs/eval-0001.commit.json").unlink()
    with pytest.raises(LetheError, match=r"epochs are \[0, 2\], expected 0, 1, 2"):
        read_run(run)


@pytest.mark.parametrize(
    "name", ["manifest.json", "samples.parquet", "epochs/eval-0000.commit.json"]
)
def test_a_truncated_record_is_one_line(tmp_path, name):
    run = capture(tmp_path / "run")
    (run / name).write_bytes((run / name).read_bytes()[:20])
    with pytest.raises(LetheError, match=f"{Path(name).name} cannot be read") as error:
        read_run(run)
    assert "\n" not in str(error.value)


def test_what_is_no_run_is_named(tmp_path, log):
    with pytest.raises(LetheError, match=r"does not exist; is .* the folder of a run"):
        read_run(tmp_path)
    with pytest.raises(LetheError, match="no committed epoch"):
        read_run(log.folder)
    with pytest.raises(LetheError, match="no committed epoch to finish"):
        log.finish({})


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_loses_nothing_committed(log, monkeypatch, step):
    write(log, 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, step, full_disk)
        with pytest.raises(LetheError, match=r"cannot write .*eval-0001.*No space left"):
            write(log, 1)
    assert log.committed() == [0]
    assert not list(log.folder.rglob("*.part"))
    write(log, 1)
    assert read_run(log.folder).sizes["epoch"] == 2


def test_a_kill_between_file_and_record_leaves_no_epoch(log, monkeypatch):
    write(log, 0)
    with monkeypatch.context() as patch:
        patch.setattr("lethe.traces.files.write_json", full_disk)
        with pytest.raises(OSError, match="No space"):
            write(log, 1)
    assert (log.folder / "epochs/eval-0001.parquet").exists()
    assert log.committed() == [0]
    write(log, 1)
    assert log.committed() == [0, 1]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LetheError, match=r"cannot create the folder .*choose another"):
        open_run(tmp_path / "file" / "run", manifest(), samples())
    with pytest.raises(LetheError, match=r"cannot (create|write)"):
        open_run("/proc/lethe-run", manifest(), samples())


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr("lethe.traces.files.open", refuse, raising=False)
    with pytest.raises(LetheError, match=r"cannot write .*lock: Permission denied"):
        open_run(tmp_path / "run", manifest(), samples())
