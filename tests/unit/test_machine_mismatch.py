"""Journal mismatches and their diffs (semantics, section 4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from perdure_runtime.core.errors import JournalMismatchError
from perdure_runtime.core.machine import Phase
from perdure_runtime.testing.history import History, digest, payload
from tests.unit.machine_driving import BASE, Desk

Issue = Callable[[Desk], object]


def diff_of(history: History, issue: Issue) -> str:
    """The diff for a body that issues this against that history."""
    desk = Desk(history)
    issue(desk)
    with pytest.raises(JournalMismatchError) as caught:
        desk.deliver_all()
    assert Phase.POISONED is desk.machine.phase
    assert desk.machine.flush() is None
    return str(caught.value)


ONE_STEP = History().attempt().step("0:1", "fetch", input=1, result=payload(1))


@pytest.mark.parametrize(
    ("issue", "attempted", "cause"),
    [
        (lambda desk: desk.step("0:1", "load", 1), "attempted: step 'load'", "code changed"),
        (lambda desk: desk.call("0:1", "fetch", 1), "attempted: call 'tests/fetch'", "changed"),
        (lambda desk: desk.step("0:1", "fetch", 2), "attempted: step 'fetch'", "input differs"),
        (lambda desk: None, "attempted: nothing at 0:1", "is not recorded"),
        (lambda desk: desk.step("0:2", "fetch", 1), "new here:  step 'fetch'", "is not recorded"),
        (lambda desk: desk.branch("0:1", "fetch", 1), "attempted: branch 'fetch'", "moved"),
        (
            lambda desk: desk.machine.commands.issue_timer("0:1", 2000),
            "attempted: timer '2 s'",
            "moved",
        ),
    ],
)
def test_every_difference_is_shown(issue: Issue, attempted: str, cause: str) -> None:
    text = diff_of(ONE_STEP, issue)
    assert "journal mismatch at entry 2, command 0:1" in text
    assert f"recorded:  step 'fetch', input digest {digest(1).hex()[:12]}" in text
    assert attempted in text
    assert cause in text.partition("likely cause:")[2].partition("ways out")[0]
    for way in ("resume", "retry", "fork", "cancel"):
        assert way in text


def test_a_body_that_ends_while_commands_remain_is_a_mismatch() -> None:
    desk = Desk(ONE_STEP)
    desk.machine.body_ended()
    with pytest.raises(JournalMismatchError, match="the body had ended"):
        desk.deliver()


def test_a_command_the_body_issued_before_it_ended_is_no_mismatch() -> None:
    desk = Desk(ONE_STEP)
    desk.step("0:1", "fetch", 1)
    assert 1 == len(desk.machine.body_ended())
    assert [] == desk.deliver_all()


def test_commands_without_digest_compare_kind_and_name_only() -> None:
    desk = Desk(ONE_STEP)
    issued = desk.machine.commands.issue("step", "0:1", BASE, "fetch", b"", None)
    assert issued is desk.deliver()


def test_a_timer_may_change_its_delay() -> None:
    desk = Desk(History().attempt().timer("0:1", 1000).fired("0:1"))
    timer = desk.machine.commands.issue_timer("0:1", 9000)
    assert timer is desk.deliver()


def test_a_poisoned_machine_repeats_its_error() -> None:
    desk = Desk(ONE_STEP)
    texts = set()
    for _ in range(2):
        with pytest.raises(JournalMismatchError) as caught:
            desk.deliver()
        texts.add(str(caught.value))
    assert 1 == len(texts)
