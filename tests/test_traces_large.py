"""Stores that do not fit in memory: blocks, streamed compaction, memory that stays bounded."""

import numpy as np
import pytest
from trace_runs import capture

from lethe import traces
from lethe.errors import LetheError
from lethe.traces import packing


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Three seeds of 23 samples in chunks of 6."""
    folder = tmp_path_factory.mktemp("large")
    runs = [capture(folder / f"run{seed}", seed, n=23) for seed in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "SMALL", packing.Packing(6, 9))
        return traces.compact(runs, folder / "zoo-tiny-quick.zarr.zip")


def test_blocks_are_whole_chunks_in_order_and_together_everything(path):
    ds = traces.open_traces(path)
    blocks = list(traces.sample_blocks(ds, ("prediction", "loss"), limit=3 * 3 * 10 * 12))
    assert [block.sizes["sample"] for block in blocks] == [12, 11]
    for name in ("prediction", "loss", "label", "sample"):
        joined = np.concatenate([block[name].values for block in blocks], axis=-1)
        np.testing.assert_array_equal(joined, ds[name].values)


def test_a_block_loads_what_was_asked_and_nothing_else(path):
    ds = traces.open_traces(path)
    block = next(traces.sample_blocks(ds, ["margin"], limit=1))
    assert block.sizes["sample"] == 6  # a chunk is the least
    assert list(block.data_vars) == ["margin"]
    assert block["margin"].variable._in_memory
    assert not block["image_hash"].variable._in_memory
    assert not ds["margin"].variable._in_memory


def test_blocks_of_traces_in_memory():
    ds = traces.from_arrays(np.zeros((2, 3, 5), np.int16), np.zeros(5, np.int16))
    sizes = [one.sizes["sample"] for one in traces.sample_blocks(ds, limit=24)]
    assert sizes == [2, 2, 1]
    assert len(list(traces.sample_blocks(ds.isel(seed=0)))) == 1


def test_blocks_of_what_is_not_there(path):
    ds = traces.open_traces(path)
    with pytest.raises(LetheError, match="no variable 'los'; did you mean 'loss'"):
        next(traces.sample_blocks(ds, ["los"]))
    with pytest.raises(LetheError, match="a limit of 1 or more"):
        next(traces.sample_blocks(ds, limit=0))
