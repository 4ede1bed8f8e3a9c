"""The plan of a run: data set x model x recipe x seeds, nothing loaded yet.

Run id = hash of the full configuration, so that the same command finds its folder again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lethe import datasets
from lethe.capture import models, samplers, streams
from lethe.capture.recipes import Recipe, Setting, find_recipe
from lethe.datasets.noise import read_noise
from lethe.errors import LetheError
from lethe.traces import VIEWS, check_view


@dataclass(frozen=True)
class Run:
    """Data set x model x recipe x seeds, nothing loaded yet."""

    dataset: str
    model: str
    preset: str
    recipe: Recipe
    seed: int
    seeds: streams.Seeds
    weights: str = "lethe"
    limit: int = 0  # training samples, drawn from stream `split`; 0 = all
    views: tuple[str, ...] = ("eval",)
    root: str = ""  # folder of the data set; empty = its usual place
    label_noise: str = ""  # labels changed on purpose, such as symmetric:0.05; empty = none
    sampler: str = samplers.RANDOM  # how often an epoch visits which sample
    test_every: int = 1  # epochs between passes over the test set; the last epoch has one
    constants: str = ""  # CSV of sample_id,decay_constant for the sampler; empty = from the run

    def config(self) -> dict[str, object]:
        """Everything that defines the run, as it stands in the manifest.

        What is at its default and came later has no entry, so that older runs keep their id.
        """
        later: dict[str, object] = {"label_noise": self.label_noise} if self.label_noise else {}
        if self.sampler != samplers.RANDOM:
            later["sampler"] = self.sampler
        if self.test_every != 1:
            later["test_every"] = self.test_every
        if self.constants:
            later["constants"] = hashlib.sha256(Path(self.constants).read_bytes()).hexdigest()[:16]
        return {
            "dataset": self.dataset,
            "model": self.model,
            "preset": self.preset,
            "recipe": self.recipe.as_dict(),
            "seed": self.seed,
            "seeds": self.seeds.as_dict(),
            "weights": self.weights,
            "limit": self.limit,
            "views": list(self.views),
            **later,
        }

    @property
    def run_id(self) -> str:
        """First 12 hex digits of the sha256 of the configuration."""
        text = json.dumps(self.config(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The run's folder name."""
        return f"{self.dataset}-{self.model}-{self.preset}-seed{self.seed}-{self.run_id}"

    @property
    def backbone(self) -> str:
        """Where the backbone comes from: `timm`, `none` or a file."""
        if self.weights != "lethe":
            return self.weights
        task = datasets.pretraining_task(self.dataset)
        return str(models.weights_file(self.model, self.recipe.pixels, task))


def plan_run(
    dataset: str,
    model: str,
    *,
    preset: str = "quick",
    seed: int = 0,
    weights: str = "lethe",
    limit: int = 0,
    views: Sequence[str] = ("eval",),
    root: str = "",
    label_noise: str = "",
    sampler: str = samplers.RANDOM,
    test_every: int = 1,
    constants: str = "",
    held: dict[str, int] | None = None,
    **settings: Setting,
) -> Run:
    """A run by name; `held` fixes single streams, `settings` change single recipe entries.

    Raises LetheError for unknown names, with the nearest known one.
    """
    datasets.check_name(dataset, root)
    recipe = find_recipe(preset, model, datasets.kind(dataset), **settings)
    if limit < 0:
        raise LetheError(f"limit must be 0 (all samples) or above, not {limit}")
    for view in views:
        check_view(view)
    if not views:
        raise LetheError("a run without a view records nothing: give eval, train or both")
    if samplers.check_sampler(sampler, bool(constants)) != samplers.RANDOM and tuple(views) != (
        "eval",
    ):
        raise LetheError(f"sampler {sampler!r} looks at the clean passes: its only view is eval")
    if test_every < 1:
        raise LetheError(f"test_every must be 1 epoch or more, not {test_every}")
    if constants and not Path(constants).is_file():
        raise LetheError(f"there is no file {constants} of decay constants")
    seeds = streams.Seeds.of_run(seed, **(held or {}))
    chosen = tuple(view for view in VIEWS if view in views)
    noise = ",".join(f"{kind}:{share:g}" for kind, share in read_noise(label_noise).items())
    plan = (dataset, model, preset, recipe, seed, seeds, weights, limit, chosen, root, noise)
    return Run(*plan, sampler, test_every, constants)
