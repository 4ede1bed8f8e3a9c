"""lethe.capture.sweep.leases: one holder at a time, whoever dies, stops or looks too late."""

import json
import multiprocessing
import os
import signal
import time

import pytest
import sweep_stealers

from lethe.capture.sweep import leases
from lethe.errors import LetheError

CONTEXT = multiprocessing.get_context("fork")


@pytest.fixture
def start():
    """Starts children, which are killed at the end."""
    children = []

    def begin(target, *args):
        child = CONTEXT.Process(target=target, args=args)
        child.start()
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.join()


@pytest.fixture(autouse=True)
def beats_end(monkeypatch):
    """Ends the beats of the leases that this process took: it would end itself with the first."""
    create, made = leases.create, []
    monkeypatch.setattr(leases, "create", lambda *given: made.append(create(*given)) or made[-1])
    yield
    for lease in filter(None, made):
        lease._end.set()


@pytest.fixture
def elsewhere(monkeypatch):
    """Makes this process forget that the other holders are on its machine."""

    def move(name="another machine"):
        monkeypatch.setattr(leases, "machine", lambda: name)

    return move


def test_a_lease_is_held_by_one_and_given_back(tmp_path):
    lease = leases.take(tmp_path / "run", 60)
    assert leases.take(tmp_path / "run", 60) is None
    assert leases.alive(tmp_path / "run")
    lease.give_back(finished=False)
    assert not leases.alive(tmp_path / "run")
    again = leases.take(tmp_path / "run", 60)
    assert again.path.name == "000002.json"
    again.give_back(finished=True)
    assert not (tmp_path / "run").exists()


def test_a_lease_names_its_holder(tmp_path):
    lease = leases.take(tmp_path / "run", 12)
    held = json.loads(lease.path.read_text())
    assert (held["pid"], held["seconds"], held["locked"]) == (os.getpid(), 12, True)
    assert held["machine"] == leases.machine()
    assert not list(tmp_path.glob("run/.*")), "no half-made file stays"
    lease.give_back(finished=True)


def test_a_killed_holder_on_this_machine_is_known_at_once(tmp_path, start):
    told = CONTEXT.Queue()
    child = start(sweep_stealers.hold, tmp_path / "run", 3600.0, told)
    assert told.get(timeout=20)
    assert leases.take(tmp_path / "run", 60) is None
    child.kill()
    child.join()
    assert leases.take(tmp_path / "run", 60)


def test_a_silent_holder_elsewhere_is_taken_over_only_after_its_length(
    tmp_path, start, elsewhere, monkeypatch
):
    told = CONTEXT.Queue()
    child = start(sweep_stealers.hold, tmp_path / "run", 60.0, told)
    assert told.get(timeout=20)
    child.kill()
    elsewhere()
    clock, watch = [0.0], leases.Watch()
    monkeypatch.setattr(leases.time, "monotonic", lambda: clock[0])
    assert watch.silent(tmp_path / "run") is None
    assert leases.take(tmp_path / "run", 60) is None
    clock[0] = 60.0
    assert watch.silent(tmp_path / "run") is None
    clock[0] = 60.1
    found = watch.silent(tmp_path / "run")
    assert leases.take(tmp_path / "run", 60, found).path.name == "000002.json"


@pytest.mark.parametrize("offset", [-1e6, 1e6])
def test_clocks_that_are_wrong_by_days_change_nothing(tmp_path, elsewhere, monkeypatch, offset):
    """The holder's clock is not looked at, only whether its sign of life changes."""
    lease = leases.take(tmp_path / "run", 60)
    elsewhere()
    clock, watch = [0.0], leases.Watch()
    for beat in range(20):
        os.utime(lease.path, (time.time() + offset + beat, time.time() + offset + beat))
        assert watch.silent(tmp_path / "run") is None
        clock[0] += 50.0
        monkeypatch.setattr(leases.time, "monotonic", lambda: clock[0])
    assert leases.take(tmp_path / "run", 60) is None


def test_what_was_seen_too_long_ago_gives_no_right(tmp_path, elsewhere):
    """Seen silent, then a beat came, or another took over: the look is void."""
    first = leases.take(tmp_path / "run", 60)
    old = leases.look(tmp_path / "run")
    elsewhere()
    os.utime(first.path, (5, 5))
    assert leases.take(tmp_path / "run", 60, old) is None
    silent = leases.look(tmp_path / "run")
    assert leases.take(tmp_path / "run", 60, silent)
    assert leases.take(tmp_path / "run", 60, silent) is None
    assert leases.create(tmp_path / "run", 2, 60) is None, "its number is taken"


def test_two_who_take_over_at_once_aim_at_one_number(tmp_path, start, capsys):
    """Fresh, given back and silent leases alike: eight processes, one winner a round."""
    size, rounds = 8, 40
    barrier, told = CONTEXT.Barrier(size), CONTEXT.Queue()
    for number in range(0, rounds, 2):  # every other one is there already, and silent
        place = tmp_path / str(number)
        place.mkdir()
        held = {"machine": "one that died", "seconds": 60, "locked": True}
        (place / "000007.json").write_text(json.dumps(held))
    for _ in range(size):
        start(sweep_stealers.race, tmp_path, rounds, barrier, told)
    won = [told.get(timeout=60) for _ in range(size)]
    winners = [sum(one[number] for one in won) for number in range(rounds)]
    with capsys.disabled():
        print(f"\n{size} processes, {rounds} leases at once: {sum(winners)} taken, one by each")
    assert winners == [1] * rounds


def test_nobody_is_in_with_another(tmp_path, start):
    """Taking and giving back as fast as it goes: a second one inside would fail on the file."""
    told = CONTEXT.Queue()
    children = [start(sweep_stealers.chain, tmp_path, 25, told) for _ in range(4)]
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert [told.get(timeout=5) for _ in children] == [25] * 4


def test_a_holder_that_was_stopped_too_long_ends_when_it_wakes(tmp_path, start, elsewhere):
    told = CONTEXT.Queue()
    child = start(sweep_stealers.hold_and_be_robbed, tmp_path / "run", 1.0, told)
    assert told.get(timeout=20)
    os.kill(child.pid, signal.SIGSTOP)
    elsewhere()
    watch, taken = leases.Watch(), None
    while taken is None:
        silent = watch.silent(tmp_path / "run")
        taken = silent and leases.take(tmp_path / "run", 60, silent)
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGCONT)
    child.join(10)
    assert child.exitcode == leases.LOST
    assert leases.look(tmp_path / "run").number == 2


def test_a_beat_keeps_a_lease(tmp_path, elsewhere):
    lease = leases.take(tmp_path / "run", 1.0)
    elsewhere()
    watch, end = leases.Watch(), time.monotonic() + 2.2
    while time.monotonic() < end:
        assert watch.silent(tmp_path / "run") is None
        time.sleep(0.05)
    lease.give_back(finished=False)


def test_without_kernel_locks_only_silence_counts(tmp_path, start, monkeypatch):
    monkeypatch.setattr(leases, "locked", lambda descriptor: False)
    lease = leases.take(tmp_path / "run", 60)
    monkeypatch.undo()
    assert json.loads(lease.path.read_text())["locked"] is False
    assert not leases.is_free(tmp_path / "run", leases.look(tmp_path / "run"))


def test_a_damaged_lease_counts_as_held_until_it_was_silent(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "000001.json").write_bytes(b"\xff{")
    (tmp_path / "run" / "notes.json").write_text("{}")
    assert leases.take(tmp_path / "run", 60) is None
    clock, watch = [0.0], leases.Watch()
    monkeypatch.setattr(leases.time, "monotonic", lambda: clock[0])
    assert watch.silent(tmp_path / "run") is None
    clock[0] = 90.1
    assert leases.take(tmp_path / "run", 60, watch.silent(tmp_path / "run"))


def test_a_folder_that_takes_no_links_is_named(tmp_path, monkeypatch):
    def refuse(*names):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(leases.os, "link", refuse)
    with pytest.raises(LetheError, match="hard links"):
        leases.take(tmp_path / "run", 60)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_link_that_the_server_made_but_denied_is_counted(tmp_path, monkeypatch):
    link = os.link

    def lost_reply(*names):
        link(*names)
        raise FileExistsError

    monkeypatch.setattr(leases.os, "link", lost_reply)
    assert leases.take(tmp_path / "run", 60)
