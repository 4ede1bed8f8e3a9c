"""BatchNorm over the whole batch of a run on several processes, not over each process's share.

On graphics cards this is torch's SyncBatchNorm, which refuses tensors of the CPU; there the two
sums are taken with gloo. Evaluation is plain BatchNorm on either. Cost on a CPU: two small sums
forward and two back for every layer.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers.norm_act import SyncBatchNormAct, convert_sync_batchnorm
from torch import Tensor, nn

from lethe.capture import processes


class Sum(torch.autograd.Function):
    """A tensor summed over the processes; its gradient is summed in the same way."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        """The sum of everybody's `own`."""
        return processes.total(own.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Everybody's loss depends on `own`, so their gradients are summed."""
        return processes.total(gradient.clone(memory_format=torch.contiguous_format))


class GlobalBatchNorm(nn.SyncBatchNorm):
    """SyncBatchNorm that trains on a CPU too: images float[n, c, ...], n may differ and be 0."""

    def forward(self, images: Tensor) -> Tensor:
        """Images normalised by mean and variance of all processes' images."""
        if images.is_cuda or not self.training:
            return super().forward(images)
        others = [axis for axis in range(images.ndim) if axis != 1]
        shape = [1, -1] + [1] * (images.ndim - 2)
        own = images.new_tensor([images.numel() / images.shape[1]])
        *_, count = sums = Sum.apply(torch.cat([images.sum(others), own]))
        mean = sums[:-1] / count
        centred = images - mean.view(shape)
        variance = Sum.apply(centred.square().sum(others)) / count
        self.remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def remember(self, mean: Tensor, variance: Tensor) -> None:
        """Let the running statistics follow."""
        batches = self.get_buffer("num_batches_tracked").add_(1)
        share = 1 / int(batches) if self.momentum is None else self.momentum
        self.get_buffer("running_mean").lerp_(mean, share)
        self.get_buffer("running_var").lerp_(variance, share)


class GlobalBatchNormAct(SyncBatchNormAct, GlobalBatchNorm):
    """The same for timm's layer that holds its activation."""


def over_all_processes(model: nn.Module) -> nn.Module:
    """The same network, parameters and buffers with its BatchNorm layers made global."""
    if processes.size() == 1:
        return model
    model = convert_sync_batchnorm(model)
    for layer in model.modules():
        if isinstance(layer, nn.SyncBatchNorm):
            act = isinstance(layer, SyncBatchNormAct)
            layer.__class__ = GlobalBatchNormAct if act else GlobalBatchNorm
    return model


def is_global(model: nn.Module) -> bool:
    """Whether a layer of the network waits for all processes."""
    return any(isinstance(layer, nn.SyncBatchNorm) for layer in model.modules())
