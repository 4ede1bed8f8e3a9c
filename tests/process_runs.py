"""What the tests of runs on several processes do in each process of a group.

The groups talk through gloo and meet in a file; their processes come from the fork server of
`reliability_runs`, so that none has to import torch again.
"""

from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from reliability_runs import start
from tiny_captures import load_few

from lethe.capture import (
    capture_run,
    finetune,
    global_batch_norm,
    models,
    plan_run,
    processes,
    training,
)

# with the batches of 64 and 48 a last one of 2 is left: fewer than three processes
SAMPLES = {"test_resnet": 130, "test_vit": 146}
SHORT = {"epochs": 2, "warmup_epochs": 2, "views": ("eval", "train")}


def plan(model, **choices):
    return plan_run("glyphs", model, **{"limit": SAMPLES[model], **SHORT, **choices})


def group(world: int, folder: Path, work, *args) -> list[int]:
    """Exit codes of `world` processes that do `work(*args)` in one group."""
    meeting = folder / f"meeting-{len(list(folder.glob('meeting-*')))}"
    children = [start(member, rank, world, meeting, work, args) for rank in range(world)]
    for child in children:
        child.join()
    return [child.exitcode for child in children]


def member(rank: int, world: int, meeting: Path, work, args: tuple) -> None:
    """One process of a group, of one thread."""
    torch.set_num_threads(1)
    finetune.load_split, finetune.CHECKPOINT_EVERY = load_few, 0.0
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world)
    work(*args)
    dist.destroy_process_group()


def capture_all(out: Path, plans: list) -> None:
    """Capture runs one after another."""
    for run in plans:
        capture_run(run, out, device="cpu")


def notes(out: Path, name: str, **values) -> None:
    """Leave what this process found where the test can read it."""
    file = out / f"{name}-{processes.size()}-{processes.rank()}.npz"
    np.savez(file, **values)


def first_step(out: Path, model: str) -> None:
    """The gradients of one step in float64, on a batch that no number of processes divides."""
    run = plan(model)
    data = training.Resident.of(finetune.training_images(run), models.pick_device("cpu"))
    net = models.build_model(model, 62, 1, run.recipe, 0, run.backbone).double()
    net = global_batch_norm.over_all_processes(net).train()
    normalise, training.normalise = training.normalise, lambda *given: normalise(*given).double()
    draws = torch.linspace(0, 0.99, 7 * 5, dtype=torch.float64).reshape(7, 5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loss, _ = training.train_step(net, optimizer, data, run.recipe, draws, torch.arange(7) * 3)
    training.normalise = normalise
    gradients = {name: parameter.grad.numpy() for name, parameter in net.named_parameters()}
    buffers = {name: tensor.numpy() for name, tensor in net.named_buffers()}
    notes(out, f"step-{model}", loss=processes.total(loss.clone()).numpy(), **gradients, **buffers)
