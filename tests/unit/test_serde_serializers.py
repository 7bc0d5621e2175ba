"""Which encodings are accepted, codecs, and cloudpickle with its trap."""

import subprocess
import sys
import zlib
from typing import Any

import pytest
from msgspec.structs import replace

from perdure_runtime.core.errors import LimitExceededError, SerializationError
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import (
    TYPED_JSON,
    CloudPickle,
    CodecChain,
    Serializer,
    Serializers,
    signature_of,
)


class Zlib:
    name = "zlib"

    def encode(self, payload: Payload) -> Payload:
        return replace(payload, data=zlib.compress(payload.data))

    def decode(self, payload: Payload) -> Payload:
        return replace(payload, data=zlib.decompress(payload.data))


class Mask:
    name = "mask"

    def encode(self, payload: Payload) -> Payload:
        return replace(payload, data=bytes(byte ^ 0x55 for byte in payload.data))

    decode = encode


VALUE = {"text": "a" * 1000}


def test_codecs_wrap_after_the_digest_and_unwrap_in_reverse() -> None:
    serializers = Serializers(codecs=CodecChain([Zlib(), Mask()]))
    payload = serializers.encode(VALUE)
    plain = TYPED_JSON.encode(VALUE)
    assert ({"codecs": "zlib,mask"}, plain.digest, "json") == (
        payload.metadata, payload.digest, payload.encoding,
    )  # fmt: skip
    assert plain.data == zlib.decompress(Mask().decode(payload).data)
    assert VALUE == serializers.decode(payload)
    assert plain == serializers.codecs.unwrap(payload)


def test_codecs_apply_to_inputs_too() -> None:
    def two(a: int, b: set[int]) -> None: ...

    serializers: Serializer = Serializers(codecs=CodecChain([Zlib()]))
    payload = signature_of(two).bind((1, {2}), {}, serializers)
    assert ((1, {2}), {}) == signature_of(two).unbind(payload, serializer=serializers)


def test_a_payload_made_before_codecs_were_set_is_still_read() -> None:
    assert VALUE == Serializers(codecs=CodecChain([Zlib()])).decode(TYPED_JSON.encode(VALUE))


def test_a_codec_that_is_not_configured_is_named() -> None:
    payload = Serializers(codecs=CodecChain([Zlib()])).encode(VALUE)
    with pytest.raises(SerializationError, match=r"codec 'zlib', which is not configured .*: mask"):
        Serializers(codecs=CodecChain([Mask()])).decode(payload)


def test_a_codec_that_fails_is_named() -> None:
    payload = Payload(b"garbage", metadata={"codecs": "zlib"})
    with pytest.raises(SerializationError, match="codec 'zlib' cannot unwrap"):
        Serializers(codecs=CodecChain([Zlib()])).decode(payload)


def test_keyed_digests() -> None:
    one, other = (CodecChain([Zlib()], digest_key=key) for key in (b"one", b"other"))
    plain = TYPED_JSON.encode(VALUE)
    assert 3 == len({plain.digest, one.wrap(plain).digest, one.key_digest(b"x" * 16),
                     other.wrap(plain).digest}) - 1  # fmt: skip
    assert one.wrap(plain).digest == one.key_digest(plain.digest)
    assert b"" == one.wrap(CloudPickle().encode(1)).digest


def test_the_size_after_codecs_counts() -> None:
    class Grow(Mask):
        def encode(self, payload: Payload) -> Payload:
            return replace(payload, data=payload.data * 5000)

    with pytest.raises(LimitExceededError, match="limit is 4194304"):
        Serializers(codecs=CodecChain([Grow()])).encode(VALUE)


def test_an_encoding_that_is_not_accepted_is_refused_by_name() -> None:
    payload = CloudPickle().encode(VALUE)
    with pytest.raises(SerializationError, match=r"'cloudpickle' is not accepted here .*json"):
        Serializers().decode(payload)
    with pytest.raises(SerializationError, match="'cloudpickle' is not accepted"):
        Serializers().decode_fields(payload, {"a": int})


def test_a_worker_that_opted_in_reads_both() -> None:
    serializers = Serializers((CloudPickle(), TYPED_JSON))
    assert ("cloudpickle", ("cloudpickle", "json")) == (
        serializers.encoding, serializers.encodings,
    )  # fmt: skip
    assert {"a", 1} == serializers.decode(serializers.encode({"a", 1}))
    assert VALUE == serializers.decode(TYPED_JSON.encode(VALUE))


def test_cloudpickle_has_no_digest_and_takes_what_json_cannot() -> None:
    factor = 3
    payload = CloudPickle().encode(lambda n: n * factor)
    assert (b"", "cloudpickle") == (payload.digest, payload.encoding)
    assert 6 == CloudPickle().decode(payload)(2)


@pytest.mark.parametrize("value", [sys._getframe(), (character for character in "")])
def test_cloudpickle_errors_name_the_type(value: Any) -> None:
    with pytest.raises(SerializationError, match=f"cannot pickle x of type {type(value).__name__}"):
        CloudPickle().encode(value, what="x")


def test_unpickling_garbage_is_a_serialization_error() -> None:
    with pytest.raises(SerializationError, match="cannot unpickle value: "):
        CloudPickle().decode(Payload(b"garbage", "cloudpickle"))


TRAP = """
from dataclasses import dataclass
import msgspec
from perdure_runtime.serde import TYPED_JSON, CloudPickle

@dataclass
class Order:
    id: str

@dataclass
class Basket:
    orders: list[Order]

value = Basket([Order("a")])
assert TYPED_JSON.decode(TYPED_JSON.encode(value), Basket) == value
assert "__msgspec_cache__" in Order.__dict__      # the trap is set
for _ in range(2):
    assert CloudPickle().decode(CloudPickle().encode(value)) == value
    assert TYPED_JSON.decode(TYPED_JSON.encode(value), Basket) == value
print("fine")
"""


def test_cloudpickle_of_a_main_dataclass_that_msgspec_has_seen() -> None:
    done = subprocess.run([sys.executable, "-c", TRAP], capture_output=True, text=True, check=False)
    assert ("fine\n", "") == (done.stdout, done.stderr)


def test_serde_loads_neither_cloudpickle_nor_pydantic() -> None:
    script = (
        "import sys, perdure_runtime.serde as serde; serde.TYPED_JSON.encode({'a': {1}});"
        "print([name for name in ('cloudpickle', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ("[]\n", "") == (done.stdout, done.stderr)
