"""Errors on the wire: the table, and the way there and back."""

from __future__ import annotations

import inspect

import grpc
import pytest

from perdure_proto.v1 import client_pb2
from perdure_runtime.core import errors
from perdure_runtime.core.client import StartReply
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    ExecutionCancelledError,
    ExecutionFailed,
    InvalidArgumentError,
    LimitExceededError,
    OverloadedError,
    PerdureError,
    ProtocolError,
)
from perdure_runtime.core.version import PROTOCOL_MAX, PROTOCOL_MIN
from perdure_runtime.wire.v1 import client, status, version
from perdure_runtime.wire.v1.status import CODES, Code, error_from_name, from_status, to_status

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, PerdureError)
]


def test_every_error_class_of_core_is_in_the_table() -> None:
    assert set(CLASSES) == set(CODES)


def test_the_codes_are_those_of_grpc() -> None:
    theirs = {code.name: code.value[0] for code in grpc.StatusCode if code.name != "OK"}
    assert theirs == {code.name: code.value for code in Code}


@pytest.mark.parametrize("error_class", CLASSES, ids=lambda error_class: error_class.__name__)
def test_every_error_comes_back_as_its_class_with_its_text(
    error_class: type[PerdureError],
) -> None:
    sent = to_status(error_class("what, where, what to do: \u20ac"))
    error = from_status(*sent)
    assert type(error) is error_class
    assert str(error) == "what, where, what to do: \u20ac"
    assert sent.code is CODES[error_class]


def test_attributes_come_back() -> None:
    overloaded = from_status(*to_status(OverloadedError("busy", retry_after=2.5)))
    assert isinstance(overloaded, OverloadedError)
    assert overloaded.retry_after == 2.5
    failed = from_status(*to_status(ExecutionFailed("x", execution_id="a", type_name="Oops")))
    assert isinstance(failed, ExecutionFailed)
    assert (failed.execution_id, failed.type_name) == ("a", "Oops")
    cancelled = from_status(*to_status(ExecutionCancelledError("x", reason="why")))
    assert isinstance(cancelled, ExecutionCancelledError)
    assert cancelled.reason == "why"


def test_a_class_outside_the_table_travels_as_its_nearest_base() -> None:
    class Odd(InvalidArgumentError):
        pass

    assert type(from_status(*to_status(Odd("x")))) is InvalidArgumentError


def test_an_error_that_is_not_ours_is_internal_and_names_its_class() -> None:
    sent = to_status(KeyError("k"))
    assert sent.code is Code.INTERNAL
    assert str(from_status(*sent)) == "internal error: KeyError: 'k'"


def test_an_error_fits_into_8_kib_of_metadata_whatever_its_text() -> None:
    sent = to_status(
        ExecutionFailed("\u6ce8" * 100_000, execution_id="i" * 255, type_name="\U0001f600" * 255)
    )
    percent_encoded_bytes = 3 * len(sent.message.encode())
    base64_bytes = 4 * len(sent.detail) // 3 + 4
    assert percent_encoded_bytes + base64_bytes < 8_192 - 512
    assert str(from_status(*sent)).endswith("...")


@pytest.mark.parametrize(
    ("expected", "code", "text"),
    [
        (CoordinatorUnavailableError, Code.UNAVAILABLE, "connection refused"),
        (CoordinatorUnavailableError, Code.CANCELLED, ""),
        (ProtocolError, Code.UNIMPLEMENTED, "method not found"),
        (OverloadedError, Code.RESOURCE_EXHAUSTED, "quota"),
        (LimitExceededError, Code.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)"),
        (PerdureError, Code.INTERNAL, "boom"),
        (PerdureError, 77, "boom"),
    ],
)
def test_a_bare_status_of_grpc_is_read_by_its_code(
    expected: type[PerdureError], code: int, text: str
) -> None:
    error = from_status(code, text)
    assert type(error) is expected
    assert text in str(error)


def test_a_detail_that_is_not_ours_is_ignored() -> None:
    error = from_status(Code.UNAVAILABLE, "gone", b"\xff\xff\xff")
    assert type(error) is CoordinatorUnavailableError


def test_an_error_of_a_newer_peer_keeps_its_name() -> None:
    error = error_from_name("QuantumError", "spin")
    assert type(error) is PerdureError
    assert str(error) == "QuantumError: spin"


def test_refused_names_the_class() -> None:
    refused = status.refused(ProtocolError("no common version"))
    assert (refused.code, refused.message) == ("ProtocolError", "no common version")


def test_a_batch_answers_each_start_alone() -> None:
    batch: list[StartReply | PerdureError] = [StartReply("a", 1, True), OverloadedError("busy")]
    good, bad = client.decode_start_batch_reply(client.encode_start_batch_reply(batch))
    assert good == batch[0]
    assert type(bad) is OverloadedError


def test_any_error_is_a_reply_of_a_client_session() -> None:
    frame = client.encode_reply_frame([(3, LimitExceededError("big")), (4, KeyError("k"))])
    replies = client.decode_reply_frame(frame)
    assert [(number, type(reply)) for number, reply in replies] == [
        (3, LimitExceededError),
        (4, PerdureError),
    ]


def test_one_bad_request_of_a_frame_does_not_spoil_the_others() -> None:
    frame = client_pb2.ClientFrame()
    frame.requests.add(number=1).control.ids.append("a")  # no operation
    frame.requests.add(number=2).describe.id = "b"
    frame.requests.add(number=3)  # of no kind
    first, second, third = client.decode_client_frame(frame)
    assert (first[0], type(first[1])) == (1, InvalidArgumentError)
    assert (second[0], type(second[1]).__name__) == (2, "DescribeRequest")
    assert (third[0], type(third[1])) == (3, ProtocolError)


def test_a_start_of_another_language_may_leave_defaults_out() -> None:
    request = client.decode_start_request(client_pb2.StartRequest(id="a", request_id="r"))
    assert request.namespace == "default"
    assert request.input.data == b"null"
    assert request.id_policy == "attach"


def test_the_version_header_negotiates() -> None:
    key, value = version.protocol_metadata()
    assert key == "perdure-protocol"
    assert version.negotiate_metadata(value) == PROTOCOL_MAX
    assert version.negotiate_metadata(None) == 1
    assert version.negotiate_metadata(f"{PROTOCOL_MIN}-{PROTOCOL_MAX + 1}") == PROTOCOL_MAX


@pytest.mark.parametrize("value", [f"{PROTOCOL_MAX + 1}-{PROTOCOL_MAX + 1}", "0-0", "one", ""])
def test_a_client_without_a_common_version_is_told_so(value: str) -> None:
    with pytest.raises(ProtocolError):
        version.negotiate_metadata(value)
