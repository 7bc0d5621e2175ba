"""Users' values to payloads and back: serializers, digests, signatures, exceptions.

For workers and clients; the coordinator never imports it. The normative text for other languages is
`proto/spec/payloads.md`. Performs no I/O.
"""

from typing import TYPE_CHECKING, Any

from perdure_runtime.serde.canonical import (
    DIGEST_BYTES,
    canonical_json,
    digest,
    digest_of,
    keyed_digest,
)
from perdure_runtime.serde.codecs import CODECS_KEY, Codec, CodecChain
from perdure_runtime.serde.failures import encode_exception
from perdure_runtime.serde.qualified import code_name
from perdure_runtime.serde.reduction import MAX_DEPTH
from perdure_runtime.serde.restoration import OWN, annotate, restore_details, restore_exception
from perdure_runtime.serde.serializer import Serializer
from perdure_runtime.serde.serializers import Serializers
from perdure_runtime.serde.signature import Signature, signature_of
from perdure_runtime.serde.steps import StepInput, step_input
from perdure_runtime.serde.typed_json import NULL_PAYLOAD, TYPED_JSON, TypedJson

if TYPE_CHECKING:
    from perdure_runtime.serde.cloud_pickle import CloudPickle

__all__ = [
    "CODECS_KEY",
    "DIGEST_BYTES",
    "MAX_DEPTH",
    "NULL_PAYLOAD",
    "OWN",
    "TYPED_JSON",
    "CloudPickle",
    "Codec",
    "CodecChain",
    "Serializer",
    "Serializers",
    "Signature",
    "StepInput",
    "TypedJson",
    "annotate",
    "canonical_json",
    "code_name",
    "digest",
    "digest_of",
    "encode_exception",
    "keyed_digest",
    "restore_details",
    "restore_exception",
    "signature_of",
    "step_input",
]


def __getattr__(name: str) -> Any:
    """Load cloudpickle only for those who opt in."""
    if name == "CloudPickle":
        from perdure_runtime.serde.cloud_pickle import CloudPickle

        return CloudPickle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
