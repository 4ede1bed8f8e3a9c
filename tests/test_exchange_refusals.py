"""Logs that are not what they should be: refused, with the place, what was found and expected."""

import csv
import io
import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from foreign_logs import as_aum, as_cartography, as_csv, as_toneva, toneva_stats, train
from typer.testing import CliRunner

from lethe.cli import app
from lethe.errors import LetheError
from lethe.traces.exchange import import_traces
from lethe.traces.exchange.safe_pickle import read_pickle

NAMES = {"dataset": "toy", "model": "net"}


@pytest.fixture(scope="module")
def run():
    return train(seeds=1, samples=6)


def refused(files, match: str, **given) -> None:
    with pytest.raises(LetheError, match=match) as caught:
        import_traces(files, **{"view": "train", **NAMES, **given})
    assert "\n" not in str(caught.value)


# --- tables ---------------------------------------------------------------------------------------

HEADER = "sample_id,epoch,label,correct,loss\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,1,x,1,0.5\nb,1,x,1\n", r"log.csv:3 cannot be read: Expected 5 columns, got 4"),
        ("a,1,x,1,0.5\n\nb,1,x,1,0.5\n", r"log.csv:3 has no epoch, expected a whole number"),
        ("a,1,x,1,0.5\nb,1.5,x,1,0.5\n", r"log.csv:3: epoch is '1.5', expected a whole number"),
        ("a,1,x,1,0.5\nb,,x,1,0.5\n", r"log.csv:3 has no epoch, expected a whole number"),
        ("a,1,x,1,0.5\n,1,x,1,0.5\n", r"log.csv:3 has no sample id"),
        ("a,1,x,1,0.5\nb,1,,1,0.5\n", r"log.csv:3 has no label"),
        ("a,1,x,1,0.5\nb,1,x,2,0.5\n", r"log.csv:3: correct is '2', expected 0 or 1"),
        ("a,1,x,1,0.5\nb,1,x,1,low\n", r"log.csv:3: loss is 'low', expected a number"),
        ("a,1,x,1,0.5\nb,1,x,1,nan\n", r"log.csv:3 has loss that is missing; expected a loss"),
        ("a,1,x,1,0.5\nb,1,x,1,inf\n", r"log.csv:3 has loss inf; expected a loss of at most 65504"),
        ("a,1,x,1,0.5\nb,1,x,1,7e4\n", r"log.csv:3 has loss 70000.0; expected a loss of at most"),
        ("a,1,x,1,0.5\nb,1,x,,0.5\n", r"log.csv:3 has a loss but no prediction"),
        ("a,1,x,1,0.5\na,1,x,0,0.5\n", r"log.csv:3 is a second row of sample 'a', seed 0, epoch 1"),
        (
            "a,1,x,1,0.5\na,2,y,1,0.5\n",
            r"log.csv:3 labels sample 'a' as 'y', and before it was 'x'",
        ),
        ("a,1,x,1,0.5\na,3,x,1,0.5\n", r"epoch 2 is missing between 1 and 3"),
        ("a,5,x,1,0.5\n", r"count epochs from 5, and view 'train' counts from 1; first_epoch=5"),
        ('a,1,x,1,0.5\n"b\nc",1,x,1,0.5\nd,1,x,1,low\n', r"log.csv:5: loss is 'low'"),
        ("", r"hold no rows, so there is no trace"),
    ],
)
def test_a_row_that_is_no_row_is_named_by_its_line(text, match, tmp_path):
    (tmp_path / "log.csv").write_text(HEADER + text)
    refused([tmp_path / "log.csv"], match, format="csv")
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_bytes_that_are_no_text_and_a_file_that_is_empty(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER.encode() + b"a,1,x,1,0.5\nb\xff,1,x,1,0.5\n")
    refused([path], r"log.csv:3 cannot be read: CSV conversion error to string: invalid UTF8")
    path.write_bytes(b"")
    refused([path], r"log.csv begins with '', which fits no format")
    refused([path], r"log.csv:1 has no column 'sample_id' or 'epoch'; it has none", format="csv")


def test_columns_that_are_missing_double_or_misspelt(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("sample_id,epoch,loss\na,1,2\n")
    refused([path], r"log.csv:1 has no column 'prediction' or 'correct'; it has sample_id, epoch")
    refused(
        [path], r"has no column 'lss'; did you mean 'loss'", columns={"loss": "lss"}, format="csv"
    )
    refused(
        [path], r"unknown column 'sample'; did you mean 'sample_id'", columns={"sample": "loss"}
    )
    path.write_text("sample_id,epoch,correct,correct\na,1,1,1\n")
    refused([path], r"log.csv:1 has two columns 'correct'")


def test_a_bad_line_deep_in_a_file_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("lethe.traces.exchange.tables.BLOCK", 4096)
    lines = [f"{name},1,x,1,0.5\n" for name in range(3000)]
    lines[2500] = "2500,1,x,1,low\n"
    (tmp_path / "log.csv").write_text(HEADER + "".join(lines))
    refused([tmp_path / "log.csv"], r"log.csv:2502: loss is 'low'")
    lines[2500] = "2500,1\n"
    (tmp_path / "log.csv").write_text(HEADER + "".join(lines))
    refused([tmp_path / "log.csv"], r"log.csv:2502 cannot be read: Expected 5 columns, got 2")


def test_parquet_is_told_by_row_group_and_row(run, tmp_path):
    frame = pd.read_csv(as_csv(run, tmp_path / "log.csv"))
    frame.loc[17, "loss"] = np.inf
    path = tmp_path / "log.parquet"
    frame.to_parquet(path, row_group_size=10)
    refused([path], r"log.parquet, row group 1, row 7 has loss inf")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    refused([path], r"log.parquet is no whole Parquet file")
    path.write_bytes(whole[:50] + bytes(100) + whole[150:])
    refused([path], r"log.parquet, row group 0, row 0 cannot be read")


def test_seeds_that_do_not_fit(run, tmp_path):
    path = as_csv(run, tmp_path / "log.csv")
    refused([path], r"have a column of seeds, \[0\], so seeds cannot be given", seeds=[3])
    (tmp_path / "two.csv").write_text(path.read_text())
    refused([path, tmp_path / "two.csv"], r"two.csv:2 is a second row of sample")
    refused([path, tmp_path / "two.csv"], r"3 seeds were given for 2 files", seeds=[1, 2, 3])
    refused([path, tmp_path / "two.csv"], r"a seed is given twice in \[1, 1\]", seeds=[1, 1])


def test_runs_that_are_not_of_one_kind(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + "a,1,x,1,0.5\na,2,x,1,0.5\n")
    (tmp_path / "b.csv").write_text("sample_id,epoch,label,correct\na,1,x,1\n")
    refused([tmp_path / "a.csv", tmp_path / "b.csv"], r"b.csv:2 has no loss, and .*a.csv:2 has it")
    (tmp_path / "b.csv").write_text(HEADER + "a,1,x,1,0.5\n")
    refused([tmp_path / "a.csv", tmp_path / "b.csv"], r"seed 1 has no epoch 2, and another seed")


def test_names_and_classes_that_cannot_be(run, tmp_path):
    path = as_csv(run, tmp_path / "log.csv")
    refused([path], r"model 'bert-base' cannot be part of a store's name", model="bert-base")
    refused([path], r"class 2 is beyond the 2 names in classes", classes=["cat", "dog"])
    (tmp_path / "n.csv").write_text(HEADER + "a,1,cta,1,0.5\n")
    match = r"class 'cta' is not among classes; did you mean 'cat'"
    refused([tmp_path / "n.csv"], match, classes=["cat", "dog"])
    refused([tmp_path / "gone.csv"], r"there is nothing at .*gone.csv")
    refused([path], r"unknown format 'cvs'; did you mean 'csv'", format="cvs")
    refused([path], r"unknown view 'trian'; did you mean 'train'", view="trian")


def test_a_table_of_samples_that_does_not_fit(run, tmp_path):
    path, table = as_csv(run, tmp_path / "log.csv"), tmp_path / "samples.csv"
    table.write_text("sample_id,label\n100,0\n")
    refused([path], r"5 samples of the log are not in the table of samples", samples=table)
    frame = pd.DataFrame({"sample_id": run.ids, "label": [0, 1, 2, 0, 1, 0]})
    frame.to_csv(table, index=False)
    refused(
        [path], r"sample '135' has the label '0' in the table of samples and '2'", samples=table
    )
    frame.assign(loss=1).to_csv(table, index=False)
    refused([path], r"a data set column may not be called 'loss'", samples=table)
    frame.assign(sample_id=100).to_csv(table, index=False)
    refused([path], r"samples.csv: sample_id '100' occurs more than once", samples=table)


# --- which format ---------------------------------------------------------------------------------


def test_a_format_is_told_by_content_and_never_by_name(run, tmp_path):
    path = as_toneva(run, tmp_path)[0].rename(tmp_path / "log.csv")
    assert import_traces([path], **NAMES).sizes["sample"] == 6
    (tmp_path / "log.txt").write_text("epoch 1: loss 0.5\n")
    refused(
        [tmp_path / "log.txt"], r"log.txt begins with 'epoch 1: loss 0.5', which fits no format"
    )
    refused([path, *as_aum(run, tmp_path)], r"is a log of Toneva et al. and .* is a log of the aum")


def test_a_table_that_fits_two_formats_is_not_guessed(run, tmp_path):
    frame = pd.read_csv(as_aum(run, tmp_path)[0])
    frame.assign(epoch=frame["num_measurements"], correct=1).to_csv(tmp_path / "l.csv", index=False)
    refused([tmp_path / "l.csv"], r"l.csv fits aum and csv; format says which it is")
    assert import_traces([tmp_path / "l.csv"], format="aum", **NAMES).sizes["epoch"] == 4


def test_the_command_ends_with_one_line_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(HEADER + "a,1,x,1,0.5\na,1,x,1,0.5\n")
    asked = ["traces", "import", "log.csv", "--dataset", "d", "--model", "m", "--view", "train"]
    done = CliRunner().invoke(app, asked)
    assert isinstance(done.exception, LetheError)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]
    wrong = CliRunner().invoke(app, [*asked, "--column", "sample_id"])
    assert "a column is written ours=theirs" in str(wrong.exception)


# --- Dataset Cartography --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda r: "{", r"jsonl:2 is no JSON .* expected \{\"guid\": id"),
        (lambda r: "[1, 2]", r"jsonl:2 is '\[1, 2\]'; expected"),
        (lambda r: {"guid": 1}, r"jsonl:2 is .* expected \{\"guid\""),
        (lambda r: r | {"gold": 3}, r"jsonl:2: gold is 3, expected a class index below 3"),
        (lambda r: r | {"gold": True}, r"jsonl:2: gold is True"),
        (lambda r: r | {"guid": 1.5}, r"jsonl:2: guid is 1.5, expected text or a whole number"),
        (lambda r: r | {"logits_epoch_0": [1, None, 2]}, r"jsonl:2: logits are \[1, None, 2\]"),
        (lambda r: r | {"logits_epoch_0": [1.0]}, r"jsonl:2: logits are \[1.0\]"),
        (lambda r: r | {"logits_epoch_0": [1, 2, 3, 4]}, r"jsonl:2 has 4 logits, expected 3"),
        (lambda r: r | {"logits_epoch_0": [1, float("nan"), 2]}, r"jsonl:2: logits are"),
        (lambda r: {"guid": 1, "gold": 1, "logits_epoch_1": [1, 2, 3]}, r"jsonl:2 is of epoch 1"),
    ],
)
def test_a_line_of_cartography_that_is_no_record(change, match, run, tmp_path):
    folder = as_cartography(run, tmp_path)[0] / "training_dynamics"
    path = folder / "dynamics_epoch_0.jsonl"
    lines = path.read_text().splitlines()
    changed = change(json.loads(lines[1]))
    lines[1] = changed if isinstance(changed, str) else json.dumps(changed)
    path.write_text("\n".join(lines) + "\n")
    refused([folder], match)


def test_cartography_with_an_epoch_lost_or_a_sample_twice(run, tmp_path):
    folder = as_cartography(run, tmp_path)[0]
    path = folder / "training_dynamics" / "dynamics_epoch_2.jsonl"
    text = path.read_text()
    path.write_text(text + text.splitlines()[0] + "\n")
    refused([folder], r"dynamics_epoch_2.jsonl:7 is a second row of .* first is .*2.jsonl:1")
    path.unlink()
    refused([folder], r"epoch 2 is missing between 1 and 3")
    refused([tmp_path], r"holds no dynamics_epoch_\*.json\*")


# --- Toneva et al. and aum ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda s: [s], r"holds a list, expected"),
        (lambda s: {"test": [[], [1.0]]}, r"holds no example"),
        (lambda s: {"indices": np.arange(3), "forgetting counts": np.arange(3)}, r"no trace; give"),
        (lambda s: s | {7: [[1.0], [1], [0.5]]}, r"example 7 was presented 1 times and the first"),
        (lambda s: s | {7: [[1.0], [1]]}, r"example 7 holds .* expected three lists"),
        (lambda s: s | {7: [[1.0], [1, 0], [0.5]]}, r"lists of example 7 are of lengths \[1, 2, 1"),
        (lambda s: s | {7: [[1.0] * 4, [2] * 4, [0.5] * 4]}, r"example 7 has an accuracy that is"),
        (
            lambda s: s | {7: [["x"] * 4, [1] * 4, [0.5] * 4]},
            r"example 7 holds 'x', expected a num",
        ),
        (lambda s: s | {7: [[10**400] * 4, [1] * 4, [0.5] * 4]}, r"example 7 holds 1000"),
        (
            lambda s: s | {7: [[float("nan")] * 4, [1] * 4, [0.5] * 4]},
            r"presentation 1 of 7 has loss",
        ),
        (lambda s: s | {2.5: [[1.0], [1], [0.5]]}, r"key 2.5 is no example index"),
    ],
)
def test_a_pickle_of_another_shape(change, match, run, tmp_path):
    path = tmp_path / "x__stats_dict.pkl"
    path.write_bytes(pickle.dumps(change(toneva_stats(run, 0)), 4))
    refused([path], match, format="toneva")


class Runs:
    """A pickle of this calls `what(*args)` when it is opened."""

    def __init__(self, what, *args):
        self.call = (what, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (Runs(os.system, "touch ran"), r"(posix|nt)\.system"),
        (Runs(eval, "open('ran', 'w')"), r"(builtins|__builtin__)\.eval"),
        (Runs(getattr, os, "system"), r"(builtins|__builtin__)\.getattr"),
        (Runs(np.load, "x"), r"numpy\.load"),
        ({7: [[1.0], [1], [Runs(os.system, "touch ran")]]}, r"(posix|nt)\.system"),
    ],
)
def test_a_pickle_cannot_run_anything(payload, name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(payload, Runs) and payload.call[0] is getattr:
        payload = Runs(getattr, "text", "upper")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(payload, protocol))
    with pytest.raises(LetheError, match=rf"evil.pkl, near byte \d+: the pickle names {name};"):
        read_pickle(tmp_path / "evil.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cnumpy\ndtype\n(X\x02\x00\x00\x00O8K\x00K\x01tR.",  # an array of objects
        b"\x80\x02cnumpy\ndtype\n(X\x0a\x00\x00\x00i8,(9999)i8tR.",  # a structured type
        b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00aX\x04\x00\x00\x00zlibtR.",
        b"\x80\x02cnumpy\nndarray\n)\x81}(X\x01\x00\x00\x00aK\x01ub.",  # sets attributes
        b"\x80\x02c_codecs\nencode\n}(X\x08\x00\x00\x00__code__K\x01ub.",  # of a function
        b"\x80\x02X\x01\x00\x00\x00aQ.",  # a persistent id
        b"\x80\x02K\x01\x82\x01.",  # the extension registry
        b"\x80\x02]q\x00h\x05.",  # a memo that is not there
        b"\x80\x02",
        b"\x80\xff.",
        b"(lp0\nI1\na",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # 8 exabytes of bytes
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"",
    ],
)
def test_a_pickle_that_is_broken_or_cunning(data, tmp_path):
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(LetheError, match=r"x.pkl, near byte \d+: "):
        read_pickle(tmp_path / "x.pkl")


def test_a_few_bytes_cannot_take_gigabytes(tmp_path):
    """The C reader would reserve 16 bytes for each number up to the one of the memo."""
    import tracemalloc

    (tmp_path / "x.pkl").write_bytes(b"\x80\x02Nr\xff\xff\xff\x0f.")
    tracemalloc.start()
    assert read_pickle(tmp_path / "x.pkl") is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_numpy_arrays_and_numbers_are_read_as_they_were(tmp_path):
    values = {
        "a": np.arange(6, dtype=np.int32).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "c": np.array([1, 2], dtype=">f4"),
        "d": (np.float16(0.5), np.bool_(True), np.uint8(3)),
    }
    for protocol in range(5):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(values, protocol))
        found = read_pickle(tmp_path / "x.pkl")
        for name in "abc":
            np.testing.assert_array_equal(found[name].values, values[name])
        assert found["d"] == (0.5, True, 3)


def changed_aum(run, tmp_path, change):
    path = as_aum(run, tmp_path)[0]
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    change(rows)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda rows: rows[2].update(margin="9.5"), r"csv:4 has no class index, or a margin that"),
        (lambda rows: rows[2].update(target_logit="1.5"), r"csv:4 has no class index, or a margin"),
        (lambda rows: rows[2].update(margin=""), r"csv:4 has no class index, or a margin"),
        (
            lambda rows: rows[2].update(num_measurements="2"),
            r"csv:4 is a second row of sample '100'",
        ),
        (lambda rows: rows.pop(3), r"1 samples were measured less often than others, e.g. '100'"),
        (
            lambda rows: rows[0].update(sample_id="tensor(3)"),
            r"'tensor\(3\)', the name of a tensor",
        ),
    ],
)
def test_an_aum_record_that_is_none(change, match, run, tmp_path):
    refused([changed_aum(run, tmp_path, change)], match)


def test_aum_values_alone_are_no_trace(run, tmp_path):
    (tmp_path / "aum_values.csv").write_text("sample_id,aum\na,1.5\n")
    refused([tmp_path / "aum_values.csv"], r"AUMCalculator\(compressed=False\) writes full_aum")


def test_netcdf_that_is_broken_or_holds_something_else(tmp_path):
    import xarray as xr

    path = tmp_path / "x.nc"
    xr.Dataset({"a": ("b", [1, 2])}).to_netcdf(path, engine="h5netcdf")
    refused([path], r"x.nc: not a Lethe trace store: it has no attribute 'schema_version'")
    path.write_bytes(path.read_bytes()[:200])
    refused([path], r"x.nc is no whole netCDF file")
    refused([path, path.with_name("y.nc")], r"there is nothing at")
