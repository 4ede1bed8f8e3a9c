"""The roof of a device over a model: what its arithmetic and its memory allow at most.

Definitions. `flops` = the largest rate of a square matrix product; `bandwidth` = bytes read plus
bytes written a second of a large copy; both measured here, in the type that training uses. A model
needs, an image, so many operations (torch's own counter) and moves at least the output of every
layer: written once and read once in the forward pass, three times that in training (activations
again, and their gradients), plus 28 bytes a parameter and step for AdamW. The roof is the smaller
of the two rates that follow. On a CPU seconds are the processor's own (one thread), so that other
work on the machine does not count. Cost: about a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

ADAMW_BYTES = (
    28  # a float32 parameter: read value, gradient, two moments; write all but the gradient
)


@dataclass(frozen=True)
class Roof:
    """Floating-point operations and bytes a second, and the bytes of an activation."""

    flops: float
    bandwidth: float
    width: int


@dataclass(frozen=True)
class Work:
    """What one image costs: operations of both passes, layer outputs, and the model's size."""

    forward_flops: int
    training_flops: int
    outputs: int
    parameters: int


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Span:
    """Seconds on the wall, and `own`: the processor's on a CPU, the wall's on a GPU."""

    wall: float
    own: float


def measure(work: Callable[[], object], device: torch.device) -> Span:
    """How long a piece of work takes, everything done."""
    synchronise(device)
    wall, processor = time.perf_counter(), time.process_time()
    work()
    synchronise(device)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Span(wall, processor if device.type == "cpu" else wall)


def measure_roof(device: torch.device) -> Roof:
    """The device's two ceilings, medians of seven: random data, larger than its caches."""
    cuda = device.type == "cuda"
    kind, side, cells = (torch.bfloat16, 8192, 2**31) if cuda else (torch.float32, 1024, 2**25)
    one, other = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    source = torch.randint(256, (cells,), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    product = typical(lambda: torch.mm(one, other), device)
    copy = typical(lambda: target.copy_(source), device)
    return Roof(2 * side**3 / product, 2 * cells / copy, one.element_size())


def typical(work: Callable[[], object], device: torch.device) -> float:
    """Median own seconds of seven after two warm-ups."""
    return median([measure(work, device).own for _ in range(9)][2:])


def work_of(model: nn.Module, pixels: int, channels: int = 3) -> Work:
    """Count one image's operations and layer outputs; the model is on the CPU."""
    images, mode, outputs = torch.randn(2, channels, pixels, pixels), model.training, []
    leaves = [module for module in model.modules() if not list(module.children())]
    hooks = [m.register_forward_hook(lambda *a: outputs.append(a[2].numel())) for m in leaves]
    model.eval()
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    with FlopCounterMode(display=False) as both:
        model(images).sum().backward()
    model.zero_grad(set_to_none=True)
    model.train(mode)
    flops = (forward.get_total_flops() // 2, both.get_total_flops() // 2)
    return Work(*flops, sum(outputs) // 2, sum(p.numel() for p in model.parameters()))


def ceiling(work: Work, roof: Roof, batch: int, training: bool) -> dict[str, float]:
    """Images a second that arithmetic and memory allow, and the smaller of both."""
    flops = work.training_flops if training else work.forward_flops
    moved = 2 * work.outputs * roof.width * (3 if training else 1)
    if training:
        moved += ADAMW_BYTES * work.parameters / batch
    rates = {"arithmetic": roof.flops / flops, "bandwidth": roof.bandwidth / moved}
    return {**rates, "roof": min(rates.values())}
