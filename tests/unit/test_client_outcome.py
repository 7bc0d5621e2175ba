"""How an end reaches the caller: a value restored by its hint, or one of three errors."""

from dataclasses import dataclass
from typing import Any

import pytest

from perdure.client.control import check_result
from perdure.client.outcome import value_of
from perdure.errors import (
    ApplicationError,
    ExecutionCancelledError,
    ExecutionFailed,
    ExecutionTimedOut,
    InvalidTransitionError,
    NotFoundError,
    PerdureError,
    ProtocolError,
)
from perdure.option_checks import Errors
from perdure_runtime.core.client import ControlResult, Outcome
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.serde import TYPED_JSON, encode_exception, signature_of


@dataclass
class Receipt:
    total: int


class DeclinedError(Exception):
    """Raised by a callee that declares it."""


def read(outcome: Outcome, raises: Errors = (), decode: Any = TYPED_JSON.decode) -> Any:
    return value_of(outcome, decode=decode, raises=raises, serializer=TYPED_JSON)


def failed(error: Exception) -> Outcome:
    return Outcome("order-1", Status.FAILED, failure=encode_exception(error))


def test_a_result_is_restored_by_the_return_hint() -> None:
    def pay() -> Receipt:
        raise NotImplementedError

    outcome = Outcome("order-1", Status.COMPLETED, Payload(b'{"total": 3}'))
    assert Receipt(3) == read(outcome, decode=signature_of(pay).decode_result)
    assert {"total": 3} == read(outcome)


def test_a_result_that_was_not_sent_is_none() -> None:
    assert read(Outcome("order-1", Status.COMPLETED)) is None


def test_a_failure_keeps_the_text_and_names_the_execution_in_a_note() -> None:
    with pytest.raises(ExecutionFailed) as raised:
        read(failed(ApplicationError("no money", type_name="Declined", details={"left": 2})))
    error = raised.value
    assert "no money" == str(error)
    assert ("order-1", "Declined", {"left": 2}) == (
        error.execution_id,
        error.type_name,
        error.details,
    )
    assert ["in execution order-1"] == error.__notes__
    assert "ApplicationError" in error.traceback_text


def test_a_builtin_exception_is_the_cause() -> None:
    with pytest.raises(ExecutionFailed) as raised:
        read(failed(KeyError("missing")))
    cause = raised.value.__cause__
    assert isinstance(cause, KeyError)
    assert ("missing",) == cause.args


@pytest.mark.parametrize(("restored", "raises"), [(True, (DeclinedError,)), (False, ())])
def test_other_exceptions_are_restored_only_if_declared(restored: bool, raises: Errors) -> None:
    with pytest.raises(ExecutionFailed) as raised:
        read(failed(DeclinedError("no")), raises)
    assert restored is isinstance(raised.value.__cause__, DeclinedError)
    assert "DeclinedError" == raised.value.type_name


def test_a_cancelled_execution_tells_the_reason() -> None:
    with pytest.raises(ExecutionCancelledError, match="cancelled: not wanted") as raised:
        read(Outcome("order-1", Status.CANCELLED, reason="not wanted"))
    assert ("order-1", "not wanted") == (raised.value.execution_id, raised.value.reason)


def test_a_timed_out_execution_is_no_timeout_error() -> None:
    failure = Failure("TimeoutError", "attempt 2 took longer than 3 s")
    with pytest.raises(ExecutionTimedOut, match="longer than 3 s") as raised:
        read(Outcome("order-1", Status.TIMED_OUT, failure=failure))
    assert not isinstance(raised.value, TimeoutError)


def test_an_outcome_of_something_unfinished_is_a_fault_of_the_coordinator() -> None:
    with pytest.raises(ProtocolError, match="order-1 has an outcome but is running"):
        read(Outcome("order-1", Status.RUNNING))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (NotFoundError, "NotFoundError"),
        (InvalidTransitionError, "InvalidTransitionError"),
        (PerdureError, "SomethingNewer"),
        (PerdureError, "annotations"),
    ],
)
def test_control_errors_have_their_class(kind: type[PerdureError], code: str) -> None:
    with pytest.raises(kind, match="the reason") as raised:
        check_result(ControlResult("order-1", False, code, "the reason"))
    assert kind is type(raised.value)
    check_result(ControlResult("order-1", True))
