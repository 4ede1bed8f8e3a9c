"""What a network says about fixed images: softmax probabilities, the training left undisturbed.

Readouts: `model`, the network as it is; `recalibrated`, a copy whose BatchNorm statistics are
estimated anew (an order swap moves them even at learning rate 0); `teacher`, the average of the
weights. Cost: one clean pass each.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lethe.capture import training as fine_tuning
from lethe.capture.interventions.primitives import part_of, recalibrate
from lethe.capture.interventions.process import Training

Readout = Callable[[Training], nn.Module]


def model(training: Training) -> nn.Module:
    """The network as it is."""
    return training.model


def teacher(training: Training) -> nn.Module:
    """The average of the weights."""
    return part_of(training, "teacher")


def recalibrated(images: Sequence[Tensor]) -> Readout:
    """A copy of the network with BatchNorm statistics from these batches."""

    def read(training: Training) -> nn.Module:
        network = copy.deepcopy(training.model)
        recalibrate(network, images)
        return network

    return read


@torch.inference_mode()
def probabilities(network: nn.Module, images: Tensor, batch: int = 500) -> np.ndarray:
    """Softmax of the network in eval mode on inputs [n, ...]: float32[n, class].

    The mode of every module is put back.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    rows = []
    for part in images.split(batch):
        with fine_tuning.precision(part.device):
            logits = network(laid_out(part))
        rows.append(logits.float().softmax(1).cpu())
    for module, mode in modes.items():
        module.training = mode
    return torch.cat(rows).numpy()


def laid_out(inputs: Tensor) -> Tensor:
    """Images with their channels last, as in training; other inputs as they are."""
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs
