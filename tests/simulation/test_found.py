"""What simulations found: each bug with the circumstances that it needs.

The settings and faults are those that showed it; seeds are a few, as any will do.
"""

from __future__ import annotations

import pytest

from perdure.testing.simulator import Faults, corpus, simulate
from perdure.worker.stream import Unwelcome, welcome_in
from perdure_runtime.core.errors import CoordinatorUnavailableError
from perdure_runtime.core.messages import DrainCoordinator, Evict, Heartbeat, Refused, Welcome

WELCOME = Welcome("session", 1, "coordinator", 1000, 100, 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_body_whose_journal_comes_in_pages_gets_to_its_end_without_a_cache(seed: int) -> None:
    """It was handed back before its last page had come, for ever."""
    run = simulate(
        corpus.find("orders"), seed, Faults.none(), settings={"max_cached": 0, "page_entries": 1}
    )
    assert not run.violations


@pytest.mark.parametrize("seed", range(6))
def test_a_worker_that_lacks_pages_of_a_journal_does_not_keep_the_execution(seed: int) -> None:
    """It was adopted after a reconnect, and waited for pages that nobody was to send."""
    run = simulate(
        corpus.find("orders"),
        seed,
        Faults.only("drop", factor=6.0),
        settings={"max_cached": 1, "page_entries": 1, "workers": 1},
    )
    assert not run.violations


def test_what_comes_before_a_welcome_is_no_refusal() -> None:
    """The welcome waits for the disk; heartbeats and a stop do not: workers ended for good."""
    assert welcome_in([Heartbeat()]) is None
    assert welcome_in([DrainCoordinator()]) is None
    assert welcome_in([Heartbeat(), WELCOME, Evict(1)]) == (WELCOME, [Evict(1)])
    with pytest.raises(Unwelcome):
        welcome_in([Evict(1)])


def test_a_coordinator_that_is_not_ready_does_not_refuse_for_good() -> None:
    """While it began anew after a full disk, workers that connected ended for good."""
    with pytest.raises(CoordinatorUnavailableError):
        welcome_in([Refused("CoordinatorUnavailableError", "reloading")])
    with pytest.raises(Unwelcome, match="other name"):
        welcome_in([Refused("InvalidArgumentError", "other name")])


@pytest.mark.parametrize("seed", range(6))
def test_workers_come_back_when_the_disk_was_full(seed: int) -> None:
    faults = Faults.only("disk_full", "slow_disk", factor=4.0)
    run = simulate(corpus.find("orders"), seed, faults, settings={"lease_ms": 2000})
    assert not run.violations
    assert run.faults["disk_full"]


@pytest.mark.parametrize("seed", [35, 39])
def test_what_is_not_adopted_is_queued_again_although_it_left_the_memory(seed: int) -> None:
    """It was forgotten while the decision was made, and then nobody queued it."""
    run = simulate(corpus.find("orders"), seed, settings={"max_resident": 0, "max_finished": 2})
    assert not run.violations


@pytest.mark.parametrize("seed", range(3))
def test_a_page_that_only_holds_what_is_before_a_run_is_not_sent(seed: int) -> None:
    """An activation came twice with one epoch, first without entries."""
    program = corpus.find("cursor-of-continue-as-new")
    run = simulate(program, seed, Faults.none(), settings={"page_entries": 1, "max_cached": 0})
    assert not run.violations


@pytest.mark.parametrize("seed", [5205, 5651])
def test_news_keeps_its_order_when_a_cancelled_call_answers_at_once(seed: int) -> None:
    """The answer was told before the end of a wait that the same append withdrew."""
    run = simulate(corpus.find(f"random:{seed}"), seed, Faults(limit=0))
    assert not run.violations
    run = simulate(corpus.find(f"random:{seed}"), seed)
    assert not run.violations


def test_children_of_a_deleted_execution_are_not_those_of_its_successor() -> None:
    """The successor's first run had the number, and so its children the ids, of the deleted one's:
    where one of them was left, the coordinator could not commit, and ended, over and over."""
    runs = [simulate(corpus.find("deleted-and-late"), seed, Faults.none()) for seed in (10, 47)]
    assert not any(run.violations for run in runs)


def test_nothing_is_told_of_an_execution_that_ended_while_its_journal_was_sent() -> None:
    """Its last news was sent behind the eviction, with a gap to the last page."""
    seed = 3580772159
    assert not simulate(corpus.find(f"random:{seed}"), seed, Faults()).violations


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        *(("each-part-once", seed) for seed in (1413, 1707, 3245)),
        *(("each-part-once-in-a-handler", seed) for seed in (1254, 1708)),
    ],
)
def test_who_began_a_step_behind_does_not_go_on_with_it(name: str, seed: int) -> None:
    """A worker that heard of its lease when it was over began the step without the checkpoints of
    its next holder; it was adopted after a restart, and did the parts again that were recorded."""
    assert not simulate(corpus.find(name), seed).violations
