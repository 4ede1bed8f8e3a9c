"""Small stand-ins for Lightning and Hugging Face's Trainer: the hooks a recorder needs, called with
the arguments and in the order of the real ones. The tests of the page run on them and, where they
are installed, on the real ones.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import torch
from torch import nn
from torch.utils.data import DataLoader


class Callback:
    """Lightning's callback: every hook is there and does nothing."""

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *args: None


class LightningTrainer:
    """One process, automatic optimization, no validation."""

    global_rank, world_size = 0, 1

    def __init__(self, max_epochs, callbacks=(), **ignored):
        self.max_epochs, self.callbacks, self.current_epoch = max_epochs, callbacks, 0

    def call(self, hook, module, *args):
        for callback in self.callbacks:
            getattr(callback, hook)(self, module, *args)

    def fit(self, module, loader):
        optimizer = module.configure_optimizers()
        module.train()
        try:
            self.call("on_train_start", module)
            for epoch in range(self.max_epochs):
                self.current_epoch = epoch
                for batch_idx, batch in enumerate(loader):
                    outputs = module.training_step(batch, batch_idx)
                    optimizer.zero_grad()
                    outputs["loss"].backward()
                    optimizer.step()
                    outputs = {**outputs, "loss": outputs["loss"].detach()}
                    self.call("on_train_batch_end", module, outputs, batch, batch_idx)
                self.call("on_train_epoch_end", module)
            self.call("on_train_end", module)
        except BaseException as error:
            self.call("on_exception", module, error)
            raise


class TrainingArguments:
    """The few arguments that the page uses."""

    process_index, world_size = 0, 1

    def __init__(self, output_dir, **settings):
        vars(self).update({"remove_unused_columns": True, **settings}, output_dir=output_dir)


class HuggingFaceTrainer:
    """Collates, drops what `forward` does not take, asks compute_loss, steps."""

    def __init__(self, model, args, train_dataset, callbacks=()):
        self.model, self.args, self.callbacks = model, args, callbacks
        self.train_dataset = train_dataset

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(**inputs)
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def collate(self, rows):
        known = ("pixel_values", "labels")
        keep = [n for n in rows[0] if n in known or not self.args.remove_unused_columns]
        return {name: torch.stack([torch.as_tensor(row[name]) for row in rows]) for name in keep}

    def call(self, hook):
        for callback in self.callbacks:
            getattr(callback, hook)(self.args, SimpleNamespace(), SimpleNamespace())

    def train(self):
        optimizer = torch.optim.AdamW(self.model.parameters())
        size = self.args.per_device_train_batch_size
        loader = DataLoader(self.train_dataset, size, shuffle=True, collate_fn=self.collate)
        for _ in range(self.args.num_train_epochs):
            for inputs in loader:
                self.model.train()
                count = torch.tensor(len(inputs["labels"]))
                loss = self.compute_loss(self.model, inputs, num_items_in_batch=count)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            self.call("on_epoch_end")
        self.call("on_train_end")


class TrainerCallback:
    """Hugging Face's callback."""

    on_epoch_end = on_train_end = lambda self, args, state, control, **kwargs: None


def install(monkeypatch) -> None:
    """Put the stand-ins where `import lightning` and `import transformers` find them."""
    lightning = ModuleType("lightning")
    vars(lightning).update(Callback=Callback, LightningModule=nn.Module, Trainer=LightningTrainer)
    transformers = ModuleType("transformers")
    vars(transformers).update(
        Trainer=HuggingFaceTrainer,
        TrainerCallback=TrainerCallback,
        TrainingArguments=TrainingArguments,
    )
    monkeypatch.setitem(sys.modules, "lightning", lightning)
    monkeypatch.setitem(sys.modules, "transformers", transformers)
