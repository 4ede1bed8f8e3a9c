"""timm models: built for small images, split into backbone and head, with pretrained weights.

The head is timm's classifier layer; everything else is the backbone. `weights` says where the
backbone's come from: a safetensors file, `timm` (ImageNet, downloaded) or `none`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lethe.capture import streams
from lethe.capture.recipes import Recipe
from lethe.errors import LetheError, nearest
from lethe.paths import data_folder

PRETRAINED = Path("runs/weights")  # where `lethe pretrain` puts what is not shipped


def build_model(
    name: str, classes: int, channels: int, recipe: Recipe, seed: int, weights: str
) -> nn.Module:
    """A timm model for `recipe.pixels` with its backbone loaded and its head drawn from stream
    `init`.

    Raises LetheError for an unknown model and for weights that are missing or do not fit.
    """
    if not timm.is_model(name):
        raise LetheError(f"unknown model {name!r}: {nearest(name, timm.list_models())}")
    with torch.random.fork_rng(devices=[]):  # timm fills new layers from the global generator
        torch.manual_seed(streams.integer(seed, "init"))
        model = create(name, classes, channels, recipe, pretrained=weights == "timm")
    if weights not in ("timm", "none"):
        load_backbone(model, Path(weights))
    draw_head(model, seed)
    return model


def create(name: str, classes: int, channels: int, recipe: Recipe, pretrained: bool) -> nn.Module:
    """timm's constructor, told the image and patch size where the family takes them."""
    options: dict[str, Any] = {"num_classes": classes, "in_chans": channels}
    if "vit" in name or "deit" in name:
        options["img_size"] = recipe.pixels
        if recipe.patch_size:
            options["patch_size"] = recipe.patch_size
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:  # hub errors come in many classes; none of them says what to do
        if not pretrained:
            raise
        raise LetheError(
            f"timm could not fetch the ImageNet weights of {name!r} ({type(error).__name__}): go "
            "online, or copy them into the Hugging Face cache, or use --weights lethe, "
            "--weights none or a file"
        ) from None


def classifier(model: nn.Module) -> Any:
    """The last layer of a timm network: its head."""
    network: Any = model  # torch's type does not know timm's methods
    return network.get_classifier()


def replace_classifier(model: nn.Module, head: nn.Module) -> None:
    """Put another last layer into a timm network, in place."""
    network: Any = model
    model.add_module(network.default_cfg["classifier"], head)


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """The model on a device, its weights laid out with the channels last, which is faster."""
    move: Any = model.to  # torch's type does not know `memory_format`
    return move(device, memory_format=torch.channels_last)


def head_names(model: nn.Module) -> set[str]:
    """Names of the parameters that belong to the head."""
    head = {id(parameter) for parameter in classifier(model).parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in head}


@torch.no_grad()
def draw_head(model: nn.Module, seed: int) -> None:
    """Fill the head from stream `init`: normal with standard deviation 0.02, biases 0."""
    generator = torch.Generator().manual_seed(streams.integer(seed, "init", epoch=1))
    for parameter in classifier(model).parameters():
        if parameter.ndim > 1:
            parameter.copy_(torch.empty(parameter.shape).normal_(0, 0.02, generator=generator))
        else:
            parameter.zero_()


def weights_file(name: str, pixels: int, task: str) -> Path:
    """Where the backbone of a model lies that was pretrained on the data set `task`.

    Shipped ones are in the data folder's `weights`, others in `runs/weights`, where `lethe
    pretrain` puts them. LetheError if there is none.
    """
    file = f"{name}-{pixels}px-{task}.safetensors"
    places = [data_folder() / "weights", PRETRAINED]
    for place in places:
        if (place / file).is_file():
            return place / file
    found = sorted(path.name for place in places for path in place.glob("*.safetensors"))
    raise LetheError(
        f"no weights file {file!r} (there are: {', '.join(found) or 'none'}): make it with "
        f"'lethe pretrain {name} --dataset {task}' and the same --preset, or use --weights timm, "
        "--weights none or a file"
    )


def load_backbone(model: nn.Module, file: Path) -> None:
    """Load every backbone tensor of a safetensors file into the model; the head is left alone."""
    if not file.is_file():
        raise LetheError(f"there is no weights file {file}: give lethe, timm, none or a file")
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise LetheError(
            f"{file.name} is not a readable safetensors file ({error}): fetch it again"
        ) from None
    missing, unexpected = model.load_state_dict(fitting(model, tensors, file), strict=False)
    absent = set(missing) - head_names(model)
    if absent or unexpected:
        odd = sorted(absent or unexpected)[0]
        raise LetheError(
            f"{file.name} does not fit this model: see {odd!r}; pretrain it for this model and size"
        )


def fitting(model: nn.Module, tensors: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """The file's backbone tensors, after a check of their shapes."""
    own, head = model.state_dict(), head_names(model)
    for name, tensor in tensors.items():
        if name in own and name not in head and own[name].shape != tensor.shape:
            raise LetheError(
                f"{file.name} does not fit: {name!r} is {tuple(tensor.shape)}, the model needs "
                f"{tuple(own[name].shape)}; pixels, patch size and "
                "channels must be those of pretraining"
            )
    return {name: tensor for name, tensor in tensors.items() if name not in head}


def features(model: nn.Module, images: Tensor) -> Tensor:
    """What the head sees: pooled features float[n, width]."""
    network: Any = model
    return network.forward_head(network.forward_features(images), pre_logits=True)


def batch_norms(model: nn.Module) -> Iterable[tuple[str, Tensor]]:
    """The running statistics of every BatchNorm layer, by name."""
    return ((name, tensor) for name, tensor in model.named_buffers() if "running_" in name)


def pick_device(device: str) -> torch.device:
    """`auto` is CUDA where there is one; anything else must exist. Sets the determinism flags."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once, before CUDA starts
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda") and not device.startswith("cuda:"):
        raise LetheError(f"unknown device {device!r}: {nearest(device, ('auto', 'cpu', 'cuda'))}")
    if device != "cpu" and not torch.cuda.is_available():
        raise LetheError("no CUDA device here: use --device cpu")
    torch.use_deterministic_algorithms(True)
    # filling fresh memory finds reads of it in a new kernel; for proven ones it costs 3 to 5 %
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # is set up at import
    torch.backends.cudnn.benchmark = False
    return torch.device(device)
