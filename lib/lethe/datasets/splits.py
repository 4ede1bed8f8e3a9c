"""A train/test split that depends on names only: no seed, no order, the same for everybody.

Definition: groups (patients, or single images) are visited in the order of the blake2b hash of
their names. A group is held out if that brings the held-out shares of the classes closer to
`share`, measured by the sum over classes of (held out / class size - share)^2. A class of two or
more groups always keeps images on both sides where that is possible. Without groups this holds out
the `share` of each class with the lowest hashes, to the nearest whole number and at least one.
Cost: one pass over the groups, a second for 100,000.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lethe.errors import LetheError


def held_out(
    sample_ids: Sequence[str],
    labels: Sequence[str] | np.ndarray,
    groups: Sequence[str] | None = None,
    share: float = 0.2,
) -> np.ndarray:
    """Return bool [n]: True for the samples of the test split.

    `groups` [n] names what must not be divided; by default every sample is its own. Raises
    LetheError for unequal lengths and a share that is not between 0 and 1.
    """
    names = [str(name) for name in (sample_ids if groups is None else groups)]
    if not len(sample_ids) == len(labels) == len(names):
        raise LetheError(f"{len(labels)} labels, {len(names)} groups for {len(sample_ids)} samples")
    if not 0 < share < 1:
        raise LetheError(f"the share held out must lie between 0 and 1, not {share}")
    members: dict[str, Counter] = {}
    for name, label in zip(names, labels):
        members.setdefault(name, Counter())[label] += 1
    chosen = _choose(members, Counter(labels), share)
    return np.array([name in chosen for name in names], bool)


def _choose(members: dict[str, Counter], sizes: Counter, share: float) -> set[str]:
    """The groups to hold out."""
    order = sorted(members, key=_digest)
    held: Counter = Counter()
    chosen = set()

    def allowed(name: str) -> bool:
        return all(held[label] + n < sizes[label] for label, n in members[name].items())

    def change(name: str) -> float:
        """By how much the sum of squares grows when this group is held out."""
        return sum(
            (2 * (held[label] - share * sizes[label]) + n) * n / sizes[label] ** 2
            for label, n in members[name].items()
        )

    for name in order:
        if change(name) < 0 and allowed(name):
            chosen.add(name)
            held.update(members[name])
    for label in sorted(set(sizes) - set(+held)):
        options = [name for name in order if members[name][label] and allowed(name)]
        if options:
            best = min(options, key=change)
            chosen.add(best)
            held.update(members[best])
    return chosen


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()
