"""The recorder: what a trace keeps of every sample at one epoch.

From the logits z of a sample with label y: prediction = argmax z; loss = -log softmax(z)[y]; margin
= z[y] minus the largest other logit; error_l2 = ||softmax(z) - onehot(y)||_2 (EL2N, Paul et al.
2021). Computed in float32 on the device, kept there until the epoch ends, copied once. It draws no
random numbers and touches no weights.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lethe.capture import processes
from lethe.errors import LetheError

TOGETHER = 8192  # rows of logits that wait to be measured: many small kernels, run seldom


def measure(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The four quantities of a batch: logits float[n, classes], labels int[n] -> four tensors
    [n].
    """
    logits = logits.detach().float()
    own = logits.gather(1, labels[:, None]).squeeze(1)
    truth = F.one_hot(labels, logits.shape[1])
    others = logits.masked_fill(truth.bool(), -torch.inf).amax(1)
    return {
        "prediction": logits.argmax(1).to(torch.int16),
        "loss": F.cross_entropy(logits, labels, reduction="none"),
        "margin": own - others,
        "error_l2": (logits.softmax(1) - truth).norm(dim=1),
    }


class Recorder:
    """Collects one epoch at a time: `record` for every batch, `end_epoch` for the arrays."""

    def __init__(self, samples: int, device: torch.device | str = "cpu") -> None:
        """Room for an epoch of so many samples on a device."""
        self.samples, self.device = samples, device
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Forget what was recorded; every cell is missing (-1, NaN) until written."""
        empty = torch.full((self.samples,), torch.nan, device=self.device)
        self.arrays = {name: empty.clone() for name in ("loss", "margin", "error_l2")}
        self.arrays["prediction"] = torch.full_like(empty, -1, dtype=torch.int16)
        self.seen = torch.zeros(self.samples, dtype=torch.int32, device=self.device)
        self.waiting: list[tuple[Tensor, Tensor, Tensor]] = []

    def record(self, positions: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Keep a batch: positions int[n] of its samples, logits [n, classes], labels int[n]."""
        if not len(positions) == len(logits) == len(labels):
            raise LetheError(
                f"a batch needs one position, one row of logits and one label a sample, not "
                f"{len(positions)}, {len(logits)} and {len(labels)}"
            )
        # copies, since a caller may change or reuse its own
        self.waiting.append((positions.clone(), logits.detach().clone(), labels.clone()))
        if sum(len(batch[0]) for batch in self.waiting) >= TOGETHER:
            self.measure_waiting()

    def measure_waiting(self) -> None:
        """Measure the logits kept so far and forget them."""
        if not self.waiting:
            return
        positions, logits, labels = (torch.cat(parts) for parts in zip(*self.waiting))
        self.waiting = []
        for name, values in measure(logits, labels).items():
            self.arrays[name][positions] = values
        self.seen.index_add_(0, positions, torch.ones_like(positions, dtype=torch.int32))

    def merge(self) -> None:
        """Put together what all processes of a run recorded, exactly: the bits of a row are summed
        over processes that have 0 there; a sample recorded by two is counted twice.
        """
        self.measure_waiting()
        rows = [self.seen]
        for values in self.arrays.values():
            bits = values.view(torch.int32) if values.is_floating_point() else values.int()
            rows.append(bits.masked_fill(self.seen == 0, 0))
        self.seen, *merged = processes.total(torch.stack(rows))
        for (name, values), bits in zip(self.arrays.items(), merged):
            whole = bits.view(torch.float32) if values.is_floating_point() else bits.to(torch.int16)
            self.arrays[name] = whole

    def end_epoch(self) -> dict[str, np.ndarray]:
        """The epoch's arrays [samples] by name; LetheError if a sample came twice or not at all."""
        self.measure_waiting()
        seen = self.seen.cpu().numpy()
        if (seen != 1).any():
            odd = int(np.flatnonzero(seen != 1)[0])
            raise LetheError(
                f"sample at position {odd} was recorded {seen[odd]} times in one epoch, "
                "expected once"
            )
        arrays = {name: values.cpu().numpy() for name, values in self.arrays.items()}
        self.begin_epoch()
        return arrays
