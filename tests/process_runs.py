"""What the tests of runs on several processes do in each process of a group.

The groups talk through gloo and meet in a file; their processes come from the fork server of
`reliability_runs`, so that none has to import torch again.
"""

import os
import signal
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from reliability_runs import start
from timm.layers import BatchNormAct2d
from tiny_captures import load_few

from lethe.capture import (
    Recorder,
    capture_run,
    finetune,
    global_batch_norm,
    models,
    plan_run,
    processes,
    training,
)
from lethe.errors import LetheError

# with the batches of 64 and 48 a last one of 2 is left: fewer than three processes
SAMPLES = {"test_resnet": 130, "test_vit": 146}
SHORT = {"epochs": 2, "warmup_epochs": 2, "views": ("eval", "train")}
SPACED = {"sampler": "spaced", "label_noise": "symmetric:0.1", "views": ("eval",)}
train_epoch, normalise, draw = (
    training.train_epoch,
    training.normalise,
    training.augmentation_draws,
)


def plan(model, **choices):
    return plan_run("glyphs", model, **{"limit": SAMPLES[model], **SHORT, **choices})


def group(world: int, folder: Path, work, *args) -> list[int]:
    """Exit codes of `world` processes that do `work(folder, *args)` in one group; one is alone."""
    meeting = folder / f"meeting-{len(list(folder.glob('meeting-*')))}"
    given = (meeting, work, (folder, *args))
    children = [start(member, rank, world, *given) for rank in range(world)]
    for child in children:
        child.join()
    return [child.exitcode for child in children]


def member(rank: int, world: int, meeting: Path, work, args: tuple) -> None:
    """One process of a group, of one thread."""
    torch.set_num_threads(1)
    finetune.load_split, finetune.CHECKPOINT_EVERY = load_few, 0.0
    meeting.touch()
    if world > 1:
        file = f"file://{meeting}"
        dist.init_process_group("gloo", init_method=file, rank=rank, world_size=world)
    work(*args)
    if world > 1:
        dist.destroy_process_group()


def everything(out: Path) -> None:
    """All that is compared between numbers of processes, in one group."""
    for model in SAMPLES:
        capture_run(plan(model), out, device="cpu")
    capture_run(plan("test_vit", **SPACED), out, device="cpu")
    recorded_wrongly(out)
    activation(out)
    in_double_precision()
    for model in SAMPLES:
        first_step(out, model)
        two_epochs(out, model)


def note(out: Path, name: str, **values) -> None:
    """Leave what this process found where the test can read it."""
    np.savez(out / f"{name}-{processes.rank()}.npz", **values)


def error_of(work) -> str:
    """The text of the LetheError of `work()`."""
    try:
        work()
    except LetheError as error:
        return str(error)
    return ""


def recorded_wrongly(out: Path) -> None:
    """What is said when every process records sample 1, and nobody sample 3."""
    said = []
    for positions in ([0, 1], [0, 1, 2, 3]):
        recorder = Recorder(4)
        rows = positions if not processes.rank() else [1]
        recorder.record(
            torch.tensor(rows), torch.zeros(len(rows), 3), torch.zeros(len(rows)).long()
        )
        recorder.merge()
        said.append(error_of(recorder.end_epoch))
    note(out, "recorded", said=said)


def activation(out: Path) -> None:
    """timm's BatchNorm with an activation inside, on five images: output, gradient, buffers."""
    layer = global_batch_norm.over_all_processes(torch.nn.Sequential(BatchNormAct2d(3)).double())
    images = torch.sin(torch.arange(5 * 3 * 4 * 4).double() ** 1.5).reshape(5, 3, 4, 4)
    mine = images[processes.own_rows(5)].requires_grad_()
    got = layer.train()(mine)
    (got**3).sum().backward()
    whole = torch.zeros(2, 5, 3, 4, 4, dtype=torch.float64)
    whole[:, processes.own_rows(5)] = torch.stack([got.detach(), mine.grad])
    processes.sum_gradients(layer)
    gradients = {name: p.grad.numpy() for name, p in layer.named_parameters()}
    buffers = {name: tensor.numpy() for name, tensor in layer.named_buffers()}
    note(out, "activation", whole=processes.total(whole).numpy(), **gradients, **buffers)


def in_double_precision() -> None:
    """Let all that follows in this process be computed in float64, whatever it asks for."""
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    training.normalise = lambda *given: normalise(*given).double()
    training.augmentation_draws = lambda *given: draw(*given).astype(float)


def prepare(model: str):
    """Run, data, network in float64 and optimizer."""
    run = plan(model)
    data = training.Resident.of(finetune.training_images(run), models.pick_device("cpu"))
    net = models.build_model(model, 62, 1, run.recipe, 0, run.backbone).double()
    net = global_batch_norm.over_all_processes(net)
    return run, data, net, training.make_optimizer(net, run.recipe)


def first_step(out: Path, model: str) -> None:
    """The gradients of one step, on a batch that no number of processes divides."""
    run, data, net, optimizer = prepare(model)
    draws = torch.linspace(0, 0.99, 7 * 5).reshape(7, 5)
    part = torch.arange(7) * 3
    training.train_step(net.train(), optimizer, data, run.recipe, draws, part)
    note(out, f"step-{model}", **{name: p.grad.numpy() for name, p in net.named_parameters()})


def two_epochs(out: Path, model: str) -> None:
    """Losses and the final state after two epochs."""
    run, data, net, optimizer = prepare(model)
    losses = [train_epoch(net, optimizer, data, run.recipe, run.seeds, e) for e in (1, 2)]
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    note(out, f"end-{model}", losses=losses, **state)


def killed_in_epoch_2(out: Path, runs: Path) -> None:
    """Capture, but the last process is killed when the second epoch begins."""

    def train(*args):
        if args[5] == 2 and processes.rank() == processes.size() - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return train_epoch(*args)

    training.train_epoch = train
    capture_run(plan("test_resnet"), runs, device="cpu")


def parted(out: Path) -> None:
    """What is said when the weights of one process change by a little."""

    def train(model, *args):
        loss = train_epoch(model, *args)
        with torch.no_grad():
            next(model.parameters()).view(-1)[0] += 1e-6 * processes.rank()
        return loss

    training.train_epoch = train
    run = plan("test_vit", epochs=1)
    note(out, "parted", said=error_of(lambda: capture_run(run, out / "parted", device="cpu")))


def resumed(out: Path, runs: Path) -> None:
    """Capture again, and note what is said."""
    run = plan("test_resnet")
    note(out, "resumed", said=error_of(lambda: capture_run(run, runs, device="cpu")))
