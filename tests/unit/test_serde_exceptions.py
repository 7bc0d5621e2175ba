"""Exceptions round-trip like values (semantics, section 5)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from perdure_runtime.core.errors import (
    ApplicationError,
    ExecutionFailed,
    InvalidArgumentError,
    NonRetryableError,
    NotDeterministicError,
    SerializationError,
    StepError,
)
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.serde import OWN, annotate, encode_exception, restore_details
from perdure_runtime.serde import restore_exception as restore


class PaymentError(Exception):
    def __init__(self, code: int, *, card: str) -> None:
        super().__init__(f"payment failed with {code}")
        self.code = code
        self.card = card
        self.attempts = {"n": 1}
        self.connection = object()  # cannot be encoded: left out


class CardDeclined(PaymentError):
    pass


class Counted(Exception):
    made = 0

    def __init__(self) -> None:
        Counted.made += 1
        super().__init__("counted")


class NeedsConnection(Exception):
    def __init__(self) -> None:
        self.connection = object()

    def __str__(self) -> str:
        return f"lost {self.connection!r}"


class Custom(ApplicationError):
    pass


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_own_errors_come_back_with_class_text_args_and_attributes() -> None:
    failure = encode_exception(raised(CardDeclined(402, card="visa")))
    assert ("CardDeclined", "payment failed with 402") == (failure.type_name, failure.message)
    assert (__name__, "CardDeclined") == (failure.module, failure.qualname)
    assert FailureCode.APPLICATION is failure.code
    assert "raise error\n" in failure.traceback_text
    error = restore(failure, allowed=OWN)
    assert isinstance(error, CardDeclined)
    assert ("payment failed with 402", 402, "visa", {"n": 1}) == (
        str(error), error.code, error.card, error.attempts,
    )  # fmt: skip
    assert not hasattr(error, "connection")


def test_init_is_not_called() -> None:
    failure = encode_exception(Counted())
    made = Counted.made
    error = restore(failure, allowed=OWN)
    assert isinstance(error, Counted)
    assert "counted" == str(error)
    assert made == Counted.made


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        ValueError(),
        KeyError("k"),
        ZeroDivisionError("division by zero"),
        FileNotFoundError(2, "No such file", "/a", None, "/b"),
        OSError(2, "No such file"),
        OSError("only text"),
        UnicodeDecodeError("utf-8", b"\xff\x00", 0, 1, "invalid"),
        UnicodeEncodeError("ascii", "é", 0, 1, "invalid"),
        TimeoutError("late"),
        StopIteration(3),
        ImportError("no module"),
        SyntaxError("bad"),
    ],
    ids=repr,
)
def test_builtins_come_back_also_from_callees(error: Exception) -> None:
    restored = restore(encode_exception(raised(error)), allowed=())
    assert (type(error), str(error), error.args) == (
        type(restored), str(restored), restored and restored.args,
    )  # fmt: skip
    if isinstance(error, OSError) and isinstance(restored, OSError):
        assert (error.errno, error.filename, error.filename2) == (
            restored.errno, restored.filename, restored.filename2,
        )  # fmt: skip


def test_callees_errors_restore_only_if_declared() -> None:
    failure = encode_exception(CardDeclined(402, card="visa"))
    assert restore(failure, allowed=()) is None
    assert restore(failure, allowed=(Counted,)) is None
    assert isinstance(restore(failure, allowed=(CardDeclined,)), CardDeclined)
    assert isinstance(restore(failure, allowed=(PaymentError,)), CardDeclined)


def test_a_declared_class_made_in_a_function_restores() -> None:
    class Local(Exception):
        pass

    failure = encode_exception(Local("x"))
    assert restore(failure, allowed=OWN) is None
    assert isinstance(restore(failure, allowed=(Local,)), Local)


def test_a_declared_class_stands_for_its_name_from_another_language() -> None:
    failure = Failure(type_name="CardDeclined", message="no money")
    error = restore(failure, allowed=(CardDeclined,))
    assert isinstance(error, CardDeclined)
    assert "no money" == str(error)
    assert restore(failure, allowed=OWN) is None


def test_nothing_is_imported_and_only_exceptions_are_made() -> None:
    for module, qualname in [
        ("this", "Error"),
        ("builtins", "SystemExit"),
        ("builtins", "KeyboardInterrupt"),
        ("builtins", "print"),
        ("builtins", "object"),
        ("subprocess", "Popen"),
        ("builtins", ""),
        ("", "ValueError"),
        ("builtins", "ValueError.__class__"),
    ]:
        failure = Failure(type_name="X", message="m", module=module, qualname=qualname)
        assert restore(failure, allowed=OWN) is None, (module, qualname)
        assert restore(failure, allowed=(CardDeclined,)) is None, (module, qualname)


def test_args_that_cannot_be_encoded_become_the_message() -> None:
    lock = object()
    failure = encode_exception(ValueError("text", lock))
    error = restore(failure, allowed=OWN)
    assert isinstance(error, ValueError)
    assert (f"('text', {lock!r})",) == error.args


def test_an_exception_that_could_not_say_its_text_is_not_restored() -> None:
    failure = encode_exception(NeedsConnection())
    assert failure.message.startswith("lost <object")
    assert restore(failure, allowed=OWN) is None


def test_application_errors_keep_type_name_details_and_retry_after() -> None:
    failure = encode_exception(
        Custom("m", type_name="Declined", details={"at": {1, 2}}, retry_after=1.5)
    )
    assert ("Declined", True, 1500) == (
        failure.type_name, failure.retryable, failure.retry_after_ms,
    )  # fmt: skip
    assert {"at": [1, 2]} == restore_details(failure)
    error = restore(failure, allowed=OWN)
    assert isinstance(error, Custom)
    assert ("m", "Declined", {"at": [1, 2]}, 1.5) == (
        str(error), error.type_name, error.details, error.retry_after,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [StepError, ExecutionFailed])
def test_errors_of_perdure_itself_keep_their_fields(kind: Any) -> None:
    error = restore(encode_exception(kind("m", type_name="Declined", details=[1])), allowed=OWN)
    assert isinstance(error, kind)
    assert ("m", "Declined", [1]) == (str(error), error.type_name, error.details)


@pytest.mark.parametrize(
    ("milliseconds", "retry_after"),
    [(2000, 2), (1, 0.0001), (0, 0), (1500, timedelta(seconds=1.5)), (None, -1), (None, "soon"),
     (None, float("nan")), (None, float("inf")), (None, True), (None, None)],
)  # fmt: skip
def test_retry_after_of_any_exception_is_honoured(
    milliseconds: int | None, retry_after: Any
) -> None:
    error = ValueError("x")
    error.retry_after = retry_after  # type: ignore[attr-defined]  # as HTTP libraries do
    assert milliseconds == encode_exception(error).retry_after_ms


@pytest.mark.parametrize(
    ("retryable", "code", "error"),
    [
        (True, FailureCode.APPLICATION, ValueError()),
        (True, FailureCode.APPLICATION, StepError("m")),
        (False, FailureCode.APPLICATION, NonRetryableError("m")),
        (False, FailureCode.APPLICATION, InvalidArgumentError("m")),
        (False, FailureCode.SERIALIZATION, SerializationError("m")),
        (False, FailureCode.NOT_DETERMINISTIC, NotDeterministicError("m")),
        (False, FailureCode.CANCELLED, asyncio.CancelledError()),
    ],
    ids=repr,
)
def test_what_is_not_retried(retryable: bool, code: FailureCode, error: BaseException) -> None:
    failure = encode_exception(error)
    assert (retryable, code) == (failure.retryable, failure.code)


def test_causes_are_kept_and_restored_within_a_bound() -> None:
    error: Exception = ValueError(0)
    for number in range(1, 20):
        outer = KeyError(number)
        outer.__cause__ = error
        error = outer
    failure: Failure | None = encode_exception(error)
    assert failure is not None
    restored = restore(failure, allowed=())
    assert isinstance(restored, KeyError)
    assert "18" == str(restored.__cause__)
    links = 0
    while failure is not None:
        failure, links = failure.cause, links + 1
    assert 9 == links


def test_context_counts_unless_suppressed_and_circles_end() -> None:
    first, second = ValueError("first"), KeyError("second")
    second.__context__ = first
    assert "first" == getattr(encode_exception(second).cause, "message", None)
    second.__suppress_context__ = True
    assert encode_exception(second).cause is None
    first.__cause__, second.__cause__ = second, first
    assert getattr(encode_exception(first).cause, "cause", "?") is None


def test_texts_are_bounded_and_valid_unicode() -> None:
    failure = encode_exception(raised(ValueError("x" * 100_000)))
    assert 8190 < len(failure.message) <= 8192
    assert len(failure.traceback_text) <= 16_384
    assert "[100000 characters]" in failure.message
    assert "\\ud800" == encode_exception(ValueError("\ud800")).message


def test_an_exception_whose_str_raises_is_recorded() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    failure = encode_exception(raised(Silent()))
    assert "<Silent whose str() raises RuntimeError>" == failure.message


def test_groups_are_readable_and_restored() -> None:
    group = ExceptionGroup(
        "two", [ValueError("a"), ExceptionGroup("in", [CardDeclined(1, card="v")])]
    )
    failure = encode_exception(raised(group))
    assert "two" == failure.message
    assert "CardDeclined" in failure.traceback_text
    restored = restore(failure, allowed=OWN)
    assert isinstance(restored, ExceptionGroup)
    assert str(group) == str(restored)
    assert [ValueError, CardDeclined] == [type(restored.exceptions[0]),
                                          type(restored.exceptions[1].exceptions[0])]  # fmt: skip


def test_members_that_may_not_be_restored_are_stand_ins() -> None:
    failure = encode_exception(ExceptionGroup("one", [CardDeclined(1, card="v")]))
    restored = restore(failure, allowed=())
    assert isinstance(restored, ExceptionGroup)
    member = restored.exceptions[0]
    assert isinstance(member, ApplicationError)
    assert ("CardDeclined", "payment failed with 1") == (member.type_name, str(member))


def test_notes_carry_place_and_advice_and_the_users_own_survive() -> None:
    error = ValueError("text")
    error.add_note("the user's")
    restored = restore(encode_exception(error), allowed=())
    assert restored is not None
    annotate(restored, execution_id="order-1", path="0.1:3", advice="fix it")
    assert "text" == str(restored)
    assert [
        "the user's", "in execution order-1, command 0.1:3", "fix it",
    ] == restored.__notes__  # fmt: skip
