"""Forks of a training state: closed forms, refusals, and violations that end the run."""

import copy
import dataclasses
import hashlib
import json

import numpy as np
import pytest
import torch
from torch import nn

from lethe.capture import interventions as iv
from lethe.capture.interventions import audit_record, primitives, readout, snapshot
from lethe.errors import LetheError
from tests.toy_training import DECAY, probe, started

HORIZONS = (0, 1, 2, 5, 10, 20)


def fork(training, *interventions, horizons=HORIZONS, **more):
    return iv.fork(training, interventions, probe(), horizons, **more)


@pytest.fixture(scope="module", autouse=True)
def exact():
    torch.set_num_threads(1)


# what must be equal


def test_placebo_and_rerun_are_bit_identical():
    found = fork(started(), iv.reset_momentum(), iv.reset_batch_norm(), iv.reset_teacher(DECAY))
    carry = found.arms["carry"]
    for name in ("rerun", "placebo"):
        arm = found.arms[name]
        assert arm.checksums == carry.checksums
        assert np.array_equal(arm.probabilities(), carry.probabilities())
    assert len({c["weights"] for c in carry.checksums}) == len(HORIZONS), "it does train"


def test_the_training_is_left_as_it_came():
    one, other = started(), started()
    before = snapshot.checksums(one)
    fork(one, iv.reset_momentum(), iv.swap_windows(5))
    assert snapshot.checksums(one) == before
    for training in (one, other):
        training.take_step(6)
    assert snapshot.checksums(one) == snapshot.checksums(other)


def test_it_is_left_as_it_came_after_a_violation_too():
    training = started(feeds_back=True)
    before = snapshot.checksums(training)
    with pytest.raises(iv.InvariantError):
        fork(training, iv.reset_teacher(DECAY))
    assert snapshot.checksums(training) == before


# closed forms


def test_gap_of_batch_norm_follows_its_closed_form():
    found = fork(started(), iv.reset_batch_norm())
    arm, carry = found.arms["BatchNorm reset"], found.arms["carry"]
    assert arm.gaps["batch norm"] == pytest.approx(
        [arm.gaps["batch norm"][0] * 0.9**h for h in HORIZONS], rel=1e-3
    )
    assert [c["weights"] for c in arm.checksums] == [c["weights"] for c in carry.checksums]


def test_gap_of_batch_norm_by_hand():
    """Against the statistics of two processes that are stepped here."""
    one, other = started(), started()
    other.model[1].reset_running_stats()
    gaps = []
    for batch in range(6, 12):
        gaps.append(float((one.model[1].running_var - other.model[1].running_var).abs().max()))
        for training in (one, other):
            training.take_step(batch)
    assert gaps == pytest.approx([gaps[0] * 0.9**h for h in range(6)], rel=1e-4)


def test_gap_of_the_teacher_follows_its_closed_form():
    arm = fork(started(), iv.reset_teacher(DECAY)).arms["teacher reset"]
    expected = [arm.gaps["teacher"][0] * DECAY**h for h in HORIZONS]
    assert arm.gaps["teacher"] == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_a_wrong_decay_is_found_out():
    with pytest.raises(iv.InvariantError, match="gap of the teacher is 0"):
        fork(started(), iv.reset_teacher(0.5))


def test_momentum_reset_is_first_order_at_short_horizons():
    training = started()
    group = training.optimizer.param_groups[0]
    velocity = [training.optimizer.state[p]["momentum_buffer"].clone() for p in group["params"]]
    found = fork(training, iv.reset_momentum())
    arm, carry = found.arms["momentum reset"], found.arms["carry"]
    assert arm.gaps["cosine"][:2] == pytest.approx([1, 1], abs=0.01)
    assert arm.gaps["ratio"][:2] == pytest.approx([1, 1], abs=0.05)
    length = float(torch.cat([v.flatten() for v in velocity]).norm())
    for place, horizon in ((1, 1), (2, 2)):
        formula = group["lr"] * 0.9 * (1 - 0.9**horizon) / (1 - 0.9) * length
        assert arm.gaps["weights"][place] == pytest.approx(formula, rel=0.05)
    assert carry.gaps["weights"][1] == 0


@pytest.mark.parametrize("settings", [{"nesterov": True}, {"weight_decay": 0.1}, {"momentum": 0.5}])
def test_first_step_holds_for_other_settings_of_sgd(settings):
    arm = fork(started(**settings), iv.reset_momentum()).arms["momentum reset"]
    assert any(found["invariant"].startswith("first step") for found in arm.held)


def test_full_reset_of_adam_makes_the_step_of_a_fresh_one():
    settings = {"lr": 1e-3, "weight_decay": 0.0}
    training = started(optimizer="adamw", **settings)
    start = copy.deepcopy(training.model.state_dict())
    primitives.reset_adam("full").act(training)
    fresh = started(optimizer="adamw", **settings)
    fresh.optimizer = torch.optim.AdamW(fresh.model.parameters(), **settings)
    for one in (training, fresh):
        one.take_step(6)
    for name, tensor in fresh.model.named_parameters():
        moved = dict(training.model.named_parameters())[name]
        assert torch.allclose(moved, tensor, atol=1e-7)
        if name == "4.weight":  # a fresh step has the length of the rate wherever there is a slope
            longest = (moved.detach() - start[name]).abs().max()
            assert float(longest) == pytest.approx(1e-3, rel=0.05)


def test_parts_of_adam_are_not_comparable():
    arms = [iv.reset_adam(part) for part in ("full", "m", "v")]
    found = fork(started(20, optimizer="adamw"), *arms, horizons=(0, 1))
    carry = found.arms["carry"]
    length = {
        n: float(np.abs(a.probabilities()[1] - carry.probabilities()[1]).mean())
        for n, a in found.arms.items()
    }
    assert length["Adam reset, v"] > 5 * length["Adam reset, full"] > 0
    assert found.arms["Adam reset, v"].intervention.destructive


def test_an_order_swap_moves_images_with_their_draws():
    training = started()
    found = fork(training, iv.swap_windows(3, 1, 6), horizons=(0, 1, 4, 9, 12))
    carry, arm = found.arms["carry"], found.arms["order swap, 3"]
    assert (arm.orders[0], arm.orders[1]) == (carry.orders[0], carry.orders[1])
    assert arm.multisets[2] != carry.multisets[2]
    assert arm.multisets[3:] == carry.multisets[3:]
    assert arm.orders[3:] != carry.orders[3:]
    assert arm.draws == carry.draws
    numbers = [6, 12, 13, 14, 10, 11, 7, 8, 9]
    taken = np.concatenate([training.rows(b) for b in numbers]).astype("<i8")
    assert arm.orders[3] == hashlib.sha256(taken.tobytes()).hexdigest()[:16]


def test_recalibrated_statistics_are_plain_averages_over_batches():
    training = started()
    batches = [training.images[:32], training.images[32:]]
    state = torch.get_rng_state()
    primitives.recalibrate(training.model, batches)
    with torch.no_grad():
        means = [training.model[0](b).mean((0, 2, 3)) for b in batches]
    assert torch.allclose(training.model[1].running_mean, torch.stack(means).mean(0), atol=1e-6)
    assert torch.equal(state, torch.get_rng_state())
    assert training.model.training
    assert training.model[1].momentum == 0.1


def test_frozen_layers_keep_the_gap_and_may_part():
    training = started()
    training.frozen = True
    arm = fork(training, iv.reset_batch_norm()).arms["BatchNorm reset"]
    assert arm.gaps["batch norm"] == pytest.approx([arm.gaps["batch norm"][0]] * len(HORIZONS))
    assert arm.gaps["weights"][-1] > 0


def test_a_flushed_queue_is_full_again_after_its_length():
    """32 rows, 8 a step: the rows are those of the untouched arm after 4 steps."""
    found = fork(started(queue=True), iv.flush_queue(), horizons=(0, 3, 4, 5))
    carry, arm = found.arms["carry"], found.arms["queue flush"]
    same = [a["queue"] == b["queue"] for a, b in zip(arm.checksums, carry.checksums, strict=True)]
    assert same == [False, False, True, True]
    assert [c["weights"] for c in arm.checksums][1:] != [c["weights"] for c in carry.checksums][1:]
    turned = fork(started(queue=True), iv.age_queue(), horizons=(0, 4)).arms["queue turned"]
    assert turned.checksums[0]["queue"] != carry.checksums[0]["queue"]


def test_two_changes_in_one_arm():
    both = iv.together(iv.reset_momentum(), iv.swap_windows(4))
    arm = fork(started(), both).arms["momentum reset + order swap, 4"]
    assert arm.gaps["weights"][1] > 0
    assert arm.intervention.touches == {"optimizer"}
    with pytest.raises(LetheError, match="reorder the batches once"):
        iv.together(iv.swap_windows(4), iv.other_future(8))


# violations end the run


def changes(name, act, touches=()):
    return iv.Intervention(name, act, frozenset(touches))


def test_an_intervention_that_draws_fails():
    with pytest.raises(iv.InvariantError, match="lottery drew random numbers"):
        fork(started(), changes("lottery", lambda t: torch.rand(1)))
    with pytest.raises(iv.InvariantError, match="drew random numbers"):
        fork(started(), changes("lottery", lambda t: np.random.rand()))


def test_an_intervention_that_touches_more_than_it_says_fails():
    def act(training):
        primitives.copy_to_teacher(training)
        training.step += 1

    with pytest.raises(iv.InvariantError, match=r"sly changed 'clock'; it may touch teacher"):
        fork(started(), changes("sly", act, {"teacher"}))


def test_an_intervention_that_changes_nothing_is_refused():
    training = started(0)
    with pytest.raises(LetheError, match="changed nothing in 'teacher'"):
        fork(training, iv.reset_teacher(DECAY))


def test_a_teacher_that_feeds_back_fails():
    with pytest.raises(iv.InvariantError, match="teacher reset: nothing else changes"):
        fork(started(feeds_back=True), iv.reset_teacher(DECAY))


def test_a_state_that_is_not_all_shown_fails():
    training = started()
    hidden = iter(range(10_000))
    plain = training.take_step

    def step(batch):
        training.model[0].weight.data.mul_(1 + 1e-4 * next(hidden))
        return plain(batch)

    training.take_step = step
    with pytest.raises(iv.InvariantError, match="rerun: bit for bit the same"):
        fork(training)


def test_random_numbers_from_the_global_generator_are_watched():
    training = started()
    plain = training.take_step

    def step(batch):
        torch.rand(1 + int(training.model[1].running_mean.abs().sum() < 1e-9))
        return plain(batch)

    training.take_step = step
    with pytest.raises(iv.InvariantError, match="same random states"):
        fork(training, iv.reset_batch_norm())


def test_a_look_that_disturbs_fails():
    def clumsy(training):
        training.model[1].running_mean += 1
        return training.model

    with pytest.raises(iv.InvariantError, match="looking at the probe changed 'buffers'"):
        fork(started(), readouts={"model": clumsy})


def test_a_part_that_cannot_be_put_back_is_named():
    class Stubborn:
        def __init__(self):
            self.count = 0

        def state_dict(self):
            self.count += 1
            return {"count": self.count}

        def load_state_dict(self, state):
            pass

    training = started()
    training.others["loader"] = Stubborn()
    with pytest.raises(LetheError, match="differs in 'loader'"):
        fork(training)


# bad input


def test_models_and_optimizers_without_what_is_to_be_reset():
    with pytest.raises(LetheError, match="no BatchNorm layer"):
        fork(started(norm=False), iv.reset_batch_norm())
    with pytest.raises(LetheError, match="no BatchNorm layer"):
        fork(started(norm=False), iv.recalibrate_batch_norm([probe()]))
    with pytest.raises(LetheError, match="SGD at step 6 keeps no momentum"):
        fork(started(momentum=0.0), iv.reset_momentum())
    with pytest.raises(LetheError, match="keeps no momentum"):
        fork(started(0), iv.reset_momentum())
    with pytest.raises(LetheError, match="keeps no moments of Adam"):
        fork(started(), iv.reset_adam())
    with pytest.raises(LetheError, match="no 'queue'"):
        fork(started(), iv.flush_queue())
    with pytest.raises(LetheError, match=r"unknown part of Adam's state 'vv'.*'?v'?"):
        iv.reset_adam("vv")


@pytest.mark.parametrize(
    ("horizons", "told"),
    [
        ((0, 35), "horizon 35 is past the end: after step 6 the stream has 34"),
        ((0, 5, 5), "must increase"),
        ((), "must increase"),
        ((-1, 2), "must increase"),
    ],
)
def test_horizons_that_make_no_sense(horizons, told):
    with pytest.raises(LetheError, match=told):
        fork(started(), horizons=horizons)


def test_windows_that_make_no_sense():
    for settings in ((5, 0, 3), (5, 3, 0), (0,), (2, -1, 4)):
        with pytest.raises(LetheError, match="cannot be exchanged"):
            iv.swap_windows(*settings)
    with pytest.raises(
        LetheError, match="end at batch 12 after the fork, the longest horizon is 5"
    ):
        fork(started(), iv.swap_windows(6), horizons=(0, 5))
    with pytest.raises(LetheError, match="needs batch 45: the stream has 40"):
        fork(started(), iv.other_future(20))
    with pytest.raises(LetheError, match="1 batch later or more"):
        iv.other_future(0)


def test_names_used_twice():
    with pytest.raises(LetheError, match="two arms have one name"):
        fork(started(), iv.swap_windows(2), iv.swap_windows(2))
    training = started()
    training.others["weights"] = training.others["scheduler"]
    with pytest.raises(LetheError, match="'weights': that name is taken"):
        fork(training)


def test_the_fork_alone_is_a_horizon():
    found = fork(started(), iv.reset_batch_norm(), horizons=(0,))
    assert found.arms["BatchNorm reset"].probabilities().shape == (1, 12, 5)


# state and audit


def test_checksums_see_every_part():
    training = started()
    base = snapshot.checksums(training)
    training.model[0].weight.data.view(-1)[0] += 1e-6
    training.optimizer.param_groups[0]["lr"] *= 2
    training.model[1].eval()
    after = snapshot.checksums(training)
    assert {n for n in base if base[n] != after[n]} == {"weights", "optimizer", "modes"}
    as_int, as_float = (
        snapshot.checksum({"a": torch.zeros(2, dtype=t)}) for t in (torch.int32, torch.float32)
    )
    assert as_int != as_float
    flat, square = (snapshot.checksum({"a": torch.zeros(*shape)}) for shape in ((4,), (2, 2)))
    assert flat != square
    grid = torch.randn(2, 3, 4, 5)
    assert snapshot.checksum(grid) == snapshot.checksum(grid.to(memory_format=torch.channels_last))


def test_readouts_leave_modes_alone():
    training = started()
    training.model.train()
    training.model[1].eval()
    said = readout.probabilities(training.model, probe())
    assert said.sum(1) == pytest.approx(np.ones(12), abs=1e-6)
    assert training.model.training
    assert not training.model[1].training
    copied = readout.recalibrated([training.images])(training)
    assert copied is not training.model
    assert not torch.equal(copied[1].running_mean, training.model[1].running_mean)


QUESTION = {
    "estimand": "distance",
    "primary": "tv",
    "unit": "seed",
    "seeds": 1,
    "horizons": [0, 1, 2],
    "margin": {"tv": 0.01},
}


@pytest.fixture
def record():
    training = started()
    begun = audit_record.begin(QUESTION, training, probe())
    found = fork(training, iv.reset_momentum(), iv.swap_windows(1), horizons=(0, 1, 2))
    return audit_record.finish(begun, found)


def test_audit_records_go_through_a_file(record, tmp_path):
    file = audit_record.write(record, tmp_path / "audit.json")
    assert audit_record.read(file) == json.loads(json.dumps(record))
    assert record["rerun_floor"] == 0
    assert set(record["arms"]) == {"carry", "rerun", "placebo", "momentum reset", "order swap, 1"}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda r: r.pop("probe"), "'probe' is a required property"),
        (lambda r: r["state"].update(weights="abc"), "state/weights"),
        (lambda r: r["arms"].pop("placebo"), "'placebo' is a required"),
        (lambda r: r["arms"]["carry"]["order"].pop(), "carry/order has not one entry a horizon"),
        (lambda r: r["arms"]["rerun"]["invariants"][0].update(holds=False), "does not hold"),
        (lambda r: r["state"].update(weights="0" * 16), "does not begin at the recorded state"),
        (lambda r: r["question"]["margin"].update(tv=0), "question/margin/tv"),
    ],
)
def test_spoilt_audit_records_are_refused(record, spoil, told):
    spoil(record)
    with pytest.raises(LetheError, match=told):
        audit_record.check(record)


def test_a_file_that_is_no_record(tmp_path):
    (tmp_path / "a.json").write_text("{")
    for name in ("a.json", "none.json"):
        with pytest.raises(LetheError, match="is not an audit record"):
            audit_record.read(tmp_path / name)


def test_arms_do_not_keep_tensors():
    found = fork(started(), iv.reset_momentum())
    assert not found.arms["momentum reset"].kept
    assert found.arms["carry"].kept
    assert dataclasses.is_dataclass(found)


def test_dropout_draws_the_same_in_all_arms():
    training = started()
    training.model.insert(2, nn.Dropout(0.5))
    found = fork(training, iv.reset_batch_norm(), horizons=(0, 3))
    assert found.arms["rerun"].checksums == found.arms["carry"].checksums


def test_fine_tuning_here_is_that_of_a_capture():
    """The same steps as `training.train_epoch` takes, on a data set of 62 pictures."""
    from dataclasses import replace

    from lethe.capture import streams
    from lethe.capture import training as capture
    from lethe.capture.recipes import find_recipe
    from lethe.experiments import adapt, prior

    recipe = replace(find_recipe("quick", "test_vit"), epochs=2, batch_size=32)
    train = prior.resident("train")
    data = adapt.part(train, adapt.by_class(train.labels.numpy(), 1))
    seeds = streams.Seeds.of_run(3)
    networks = [prior.build("test_vit", data.classes, recipe, "none", 3) for _ in range(2)]
    first, second = (capture.make_optimizer(model, recipe) for model in networks)
    for epoch in (1, 2):
        capture.train_epoch(networks[0], first, data, recipe, seeds, epoch)
    stream = iv.Stream(data, recipe, seeds, 2)
    here = iv.FineTuning(networks[1], second, [stream], iv.one_cycle(second, recipe, len(stream)))
    for batch in range(len(here)):
        here.take_step(batch)
    for one, other in zip(*(model.parameters() for model in networks), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    with pytest.raises(LetheError, match="there is no batch 4: the stream has 4"):
        here.take_step(4)


def swap_gap(rate: float, momentum: float, horizon: int = 2) -> float:
    """Length of the gap of the weights after an adjacent swap of two batches."""
    training = started(norm=False, lr=rate, momentum=momentum)
    if momentum:
        for state in training.optimizer.state.values():
            state["momentum_buffer"].zero_()
    training.step = 6
    arm = fork(training, iv.swap_windows(1), horizons=(0, 1, horizon)).arms["order swap, 1"]
    return arm.gaps["weights"][-1]


@pytest.mark.parametrize(("momentum", "order"), [(0.0, 2), (0.9, 1)])
def test_an_adjacent_swap_is_second_order_but_first_order_with_momentum(momentum, order):
    """theta_AB - theta_BA = rate^2 (H_B g_A - H_A g_B) for plain SGD; momentum adds a term in rate
    itself, since the first batch of a pair is felt longer than the second.
    """
    rates = np.array([1e-3, 2e-3, 4e-3])
    gaps = [swap_gap(rate, momentum) for rate in rates]
    slope = np.polyfit(np.log(rates), np.log(gaps), 1)[0]
    assert slope == pytest.approx(order, abs=0.15)


def test_the_first_order_term_of_a_swap_under_momentum():
    """-rate mu (g_A - g_B) right after the pair, from gradients taken here."""
    rate, momentum = 1e-4, 0.9
    training = started(norm=False, lr=rate, momentum=momentum)
    gradients = []
    for batch in (6, 7):
        rows = training.rows(batch)
        training.model.zero_grad()
        loss = nn.functional.cross_entropy(
            training.model(training.images[rows]), training.labels[rows]
        )
        loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in training.model.parameters()]))
    expected = rate * momentum * float((gradients[0] - gradients[1]).norm())
    arm = fork(training, iv.swap_windows(1), horizons=(0, 2)).arms["order swap, 1"]
    assert arm.gaps["weights"][-1] == pytest.approx(expected, rel=0.03)
