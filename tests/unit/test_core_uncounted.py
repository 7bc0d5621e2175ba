"""Attempts that a journal mismatch ended count against no retry policy (semantics, section 3)."""

from __future__ import annotations

from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from tests.unit.core_history import RETRIED, History

DIFFERS = Failure("JournalMismatchError", "differs", FailureCode.NOT_DETERMINISTIC)


def test_a_mismatch_starts_the_next_attempt_without_retries() -> None:
    history = History().grant().fail(DIFFERS)
    assert history.status in (Status.SCHEDULED, Status.QUEUED)
    assert "AttemptEnded" == history.kinds[-1]


def test_a_mismatch_uses_up_no_retry() -> None:
    history = History()
    for failure in (DIFFERS, None, DIFFERS, None):
        while history.status is Status.SCHEDULED:
            history.fire_next()
        history.grant(RETRIED)
        history.fail(*([failure] if failure else []))
    while history.status is Status.SCHEDULED:
        history.fire_next()
    assert 5 == history.grant(RETRIED).execution.attempt
    assert Status.FAILED is history.fail().status  # two retries are used up


def test_a_body_that_uses_something_forbidden_fails_as_ever() -> None:
    failure = Failure("NotDeterministicError", "no sockets", FailureCode.NOT_DETERMINISTIC)
    assert Status.FAILED is History().grant().fail(failure).status
    assert Status.COMPLETED is History().grant().finish(Payload(b"1")).status
