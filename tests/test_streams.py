"""The random-number contract: known answers, independence of position, one stream a purpose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lethe.capture import streams
from lethe.errors import LetheError

KEYS = streams.sample_keys(f"sample {i}" for i in range(4000))

# Known answers published with Random123 (Salmon et al. 2011) for philox4x32-10.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_words(counter, key, expected):
    drawn = streams.philox(np.array(counter, np.uint64)[:, None], key)
    assert " ".join(f"{int(word):08x}" for word in drawn[:, 0]) == expected


def test_uniforms_are_uniform_and_purposes_independent():
    drawn = {
        purpose: streams.uniforms(7, purpose, 3, KEYS, 5).ravel() for purpose in streams.PURPOSES
    }
    for values in drawn.values():
        assert stats.kstest(values, "uniform").pvalue > 1e-4
        assert values.min() >= 0
        assert values.max() < 1
    table = np.corrcoef(np.stack(list(drawn.values())))
    assert np.abs(table - np.eye(5)).max() < 0.04


def test_draws_belong_to_the_sample_not_to_its_position():
    shuffle = np.random.default_rng(0).permutation(len(KEYS))
    first = streams.uniforms(1, "augment", 2, KEYS, 3)
    assert np.array_equal(streams.uniforms(1, "augment", 2, KEYS[shuffle], 3), first[shuffle])
    order = KEYS[streams.shuffled(1, "order", 2, KEYS)]
    assert np.array_equal(KEYS[shuffle][streams.shuffled(1, "order", 2, KEYS[shuffle])], order)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_an_order_is_a_permutation_and_repeats(seed, epoch, count):
    order = streams.shuffled(seed, "order", epoch, KEYS[:count])
    assert sorted(order) == list(range(count))
    assert np.array_equal(order, streams.shuffled(seed, "order", epoch, KEYS[:count]))


def test_seed_purpose_and_epoch_each_change_the_draws():
    base = streams.uniforms(1, "augment", 1, KEYS[:50], 2)
    for other in [(2, "augment", 1), (1, "dropout", 1), (1, "augment", 2)]:
        assert not np.isclose(streams.uniforms(*other, KEYS[:50], 2), base).all()
    assert np.array_equal(streams.uniforms(1, "augment", 1, KEYS[:50], 6)[:, :2], base)


def test_held_streams_keep_their_seed():
    seeds = streams.Seeds.of_run(3, order=9)
    assert seeds.as_dict() == {"split": 3, "init": 3, "order": 9, "augment": 3, "dropout": 3}


def test_bad_names_and_seeds_are_refused():
    with pytest.raises(LetheError, match="did you mean 'order'"):
        streams.Seeds.of_run(0, ordr=1)
    with pytest.raises(LetheError, match="did you mean 'augment'"):
        streams.words(0, "augmnt", 0, KEYS[:2], 1)
    with pytest.raises(LetheError, match="0 to 2"):
        streams.Seeds.of_run(-1)
