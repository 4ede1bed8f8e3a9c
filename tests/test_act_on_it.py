"""The examples of the page "Act on forgetting in your own loop", run as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lethe.capture import samplers, weighting
from lethe.experiments import tasks

PAGE = (Path(__file__).parents[1] / "book" / "act_on_it.md").read_text("utf-8")


def blocks():
    return re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.fixture
def yours():
    """The names that the page takes for granted: few images that can be learned."""
    torch.manual_seed(0)
    labels = torch.arange(40) % 4
    images = torch.randn(40, 6) + 2 * nn.functional.one_hot(labels, 6)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    names = {"images": images, "labels": labels, "model": model, "optimizer": optimizer}
    return names | {"head": model[2], "epochs": 6, "sample_ids": [f"img/{i}" for i in range(40)]}


def test_the_examples_run_in_order_and_do_what_they_say(yours):
    first, second, third = blocks()
    exec(first, yours)
    assert len(yours["sampler"].correct) == 6
    assert np.mean(yours["sampler"].correct[-1]) > 0.8  # it learns
    exec(second, yours)
    assert yours["weights"].max() <= 1
    assert float(yours["loss"].detach()) > 0
    exec(third, yours)
    assert yours["tracker"].probabilities().sum() == pytest.approx(1)
    assert (yours["tracker"].alpha < 1).all()  # the rates were estimated


def test_the_page_names_every_sampler_control_and_study():
    for name in (*samplers.SAMPLERS, samplers.RANDOM, *tasks.STUDIES):
        assert f"`{name}`" in PAGE
    for name in ("constant", "normalised", "permuted", "reversed_order"):
        assert name in PAGE
        assert callable(getattr(weighting, name))
