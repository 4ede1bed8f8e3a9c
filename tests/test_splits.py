"""lethe.datasets.splits: whole groups, every class, the same for everybody."""

import hashlib
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.datasets.splits import held_out
from lethe.errors import LetheError


def lowest(ids, labels, share):
    """The definition without groups: the share of each class with the lowest hashes."""
    digest = {i: hashlib.blake2b(i.encode(), digest_size=16).digest() for i in ids}
    held = set()
    for label in set(labels):
        of_class = sorted((i for i, k in zip(ids, labels) if k == label), key=digest.get)
        wanted = round(share * len(of_class) - 1e-9) or int(len(of_class) > 1)
        held |= set(of_class[:wanted])
    return np.array([i in held for i in ids])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=120))
def test_without_groups_the_lowest_hashes_of_each_class(labels):
    ids = [f"{label}/{n}.png" for n, label in enumerate(labels)]
    np.testing.assert_array_equal(held_out(ids, labels), lowest(ids, labels, 0.2))


GROUPED = st.lists(st.tuples(st.integers(0, 25), st.sampled_from("abcd")), min_size=1, max_size=150)


@settings(max_examples=100, deadline=None)
@given(GROUPED, st.randoms())
def test_groups_stay_whole_and_order_does_not_matter(rows, shuffle):
    groups, labels = [f"p{group}" for group, _ in rows], [label for _, label in rows]
    ids = [f"{n}" for n in range(len(rows))]
    test = held_out(ids, labels, groups)
    assert not {g for g, t in zip(groups, test) if t} & {g for g, t in zip(groups, test) if not t}
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    again = held_out(*[[column[n] for n in order] for column in (ids, labels, groups)])
    np.testing.assert_array_equal(again, test[order])
    assert set(labels) == {label for label, t in zip(labels, test) if not t}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=40), st.integers(2, 4))
def test_a_class_of_two_groups_is_on_both_sides(sizes, classes):
    groups = [f"p{n}" for n, size in enumerate(sizes) for _ in range(size)]
    labels = [int(group[1:]) % classes for group in groups]
    test = held_out(groups, labels, groups)
    for label in set(labels):
        of_class = [n for n, k in enumerate(labels) if k == label]
        sides = {bool(test[n]) for n in of_class}
        assert sides == ({True, False} if len({groups[n] for n in of_class}) > 1 else {False})


def test_octdls_sizes_come_out_near_a_fifth():
    """821 patients, some with two diseases, 1 to 8 images each, as in the published table."""
    draw = random.Random(0)
    counts = {"AMD": 1231, "DME": 147, "ERM": 155, "NO": 332, "RAO": 22, "RVO": 101, "VID": 76}
    groups, labels = [], []
    for disease, count in counts.items():
        while count:
            images = min(count, draw.choice([1, 1, 2, 2, 2, 3, 4, 5, 8]))
            patient = draw.choice(groups) if groups and draw.random() < 0.01 else str(len(groups))
            groups += [patient] * images
            labels += [disease] * images
            count -= images
    test = held_out(list(map(str, range(len(groups)))), labels, groups)
    held = Counter(np.array(labels)[test])
    for disease, count in counts.items():
        assert abs(held[disease] - 0.2 * count) <= max(2, 0.02 * count), (disease, held[disease])
    assert abs(test.mean() - 0.2) < 0.01


def test_the_split_of_a_few_names_never_changes():
    ids = [f"cat/{n}.jpg" for n in range(10)] + [f"dog/{n}.jpg" for n in range(10)]
    test = held_out(ids, [name[:3] for name in ids])
    assert [name for name, out in zip(ids, test) if out] == [
        "cat/2.jpg",
        "cat/3.jpg",
        "dog/0.jpg",
        "dog/9.jpg",
    ]


@pytest.mark.parametrize("share", [0.0, 1.0, -1, 2, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(LetheError, match="between 0 and 1"):
        held_out(["a", "b"], [0, 0], share=share)


def test_unequal_lengths_are_refused():
    with pytest.raises(LetheError, match="2 labels"):
        held_out(["a"], [0, 1])
    with pytest.raises(LetheError, match="1 groups"):
        held_out(["a", "b"], [0, 1], ["p"])
