"""The checklist's examples, run as they stand there, and its table against the schema."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lethe.capture import interventions as iv
from lethe.capture.interventions import audit_record

PAGE = (Path(__file__).parents[1] / "book" / "training_memory_checklist.md").read_text("utf-8")


def blocks():
    return re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.fixture
def yours(tmp_path):
    """The names that the page takes for granted."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    labels = torch.arange(64) % 4
    images = torch.randn(64, 6) + 2 * nn.functional.one_hot(labels, 6)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    names = {"images": images, "labels": labels, "model": model, "optimizer": optimizer}
    return names | {"unseen": torch.randn(20, 6, 1, 1).flatten(1), "folder": tmp_path}


def test_the_examples_run_in_order(yours, capsys):
    own, distances, audit, shipped = blocks()
    exec(own, yours)
    exec(distances, yours)
    printed = capsys.readouterr().out
    assert "placebo [0. 0. 0. 0. 0. 0.]" in printed
    assert "bit for bit the same" in printed
    assert "gap of the running statistics is 0.9^h" in printed
    exec(audit, yours)
    assert audit_record.read(yours["folder"] / "audit-seed0.json")["rerun_floor"] == 0
    exec(shipped, yours)
    assert yours["shipped"]["schema"] == audit_record.SCHEMA


def test_the_table_names_every_field():
    schema = audit_record.schema()
    fields = [*schema["properties"], *schema["$defs"]["arm"]["properties"]]
    fields += schema["$defs"]["checksums"]["required"]
    fields += schema["properties"]["question"]["required"]
    missing = [name for name in fields if f"`{name}`" not in PAGE]
    assert not missing


def test_every_change_is_named():
    offered = [name for name in iv.__all__ if name.startswith(("reset", "flush", "swap", "recal"))]
    assert len(offered) > 5
    assert all(name in PAGE for name in offered)


def test_a_batch_of_the_example_is_a_pure_function_of_its_number(yours):
    exec(blocks()[0].split("training = MyTraining")[0], yours)
    training = yours["MyTraining"](*(yours[n] for n in ("model", "optimizer", "images", "labels")))
    seen = np.concatenate([training.rows(b) for b in range(8)])
    assert sorted(seen) == list(range(64))
    assert not np.array_equal(training.rows(0), training.rows(8))
