"""A training process of one's own, for the tests: a small network on random images."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lethe.capture.interventions import Taken, rising

DECAY = 0.9


class Queue(nn.Module):
    """The last `length` feature rows."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.ones(length, width))

    @torch.no_grad()
    def push(self, rows: torch.Tensor) -> None:
        self.rows.copy_(torch.cat([rows, self.rows])[: len(self.rows)])


class Toy:
    """Two layers with or without BatchNorm; 40 batches of 8 of 64 images, epoch after epoch."""

    def __init__(self, optimizer="sgd", norm=True, queue=False, feeds_back=False, **settings):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            hidden = [nn.Conv2d(1, 6, 3), *([nn.BatchNorm2d(6)] if norm else []), nn.ReLU()]
            self.model = nn.Sequential(*hidden, nn.Flatten(), nn.Linear(6 * 36, 5))
            self.images, self.labels = torch.randn(64, 1, 8, 8), torch.randint(0, 5, (64,))
        settings = {"lr": 0.02, "momentum": 0.9} | settings if optimizer == "sgd" else settings
        kinds = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
        self.optimizer = kinds[optimizer](self.model.parameters(), **settings)
        self.feeds_back, self.frozen, self.step = feeds_back, False, 0
        teacher = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
        teacher.update_parameters(self.model)
        self.others = {"teacher": teacher, "scheduler": rising(self.optimizer, 3)}
        if queue:
            self.others["queue"] = Queue(32, 64)

    def __len__(self):
        return 40

    def rows(self, batch: int) -> np.ndarray:
        """The images of a batch: every epoch of 8 batches in an order of its own."""
        order = np.random.default_rng(batch // 8).permutation(64)
        return order[8 * (batch % 8) :][:8]

    def take_step(self, batch: int) -> Taken:
        rows = self.rows(batch)
        images, labels = self.images[rows], self.labels[rows]
        self.model.train(not self.frozen)
        loss = F.cross_entropy(self.model(images), labels)
        if self.feeds_back:
            wanted = self.others["teacher"](images).softmax(1).detach()
            loss = loss + F.cross_entropy(self.model(images), wanted)
        if "queue" in self.others:
            stored = self.others["queue"].rows
            loss = loss + (self.model[0].weight.flatten()[:54] @ stored.mean(0)[:54]) ** 2
            self.others["queue"].push(images.flatten(1))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.others["scheduler"].step()
        self.others["teacher"].update_parameters(self.model)
        self.step += 1
        return Taken(rows, np.float32(batch // 8) + rows[:, None].astype(np.float32))


def started(steps: int = 6, **settings) -> Toy:
    """A toy after some steps."""
    toy = Toy(**settings)
    for batch in range(steps):
        toy.take_step(batch)
    return toy


def probe() -> torch.Tensor:
    """Twelve images never trained on."""
    return torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(3))
