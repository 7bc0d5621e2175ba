from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CODE_UNSPECIFIED: _ClassVar[FailureCode]
    FAILURE_CODE_APPLICATION: _ClassVar[FailureCode]
    FAILURE_CODE_TIMEOUT: _ClassVar[FailureCode]
    FAILURE_CODE_CANCELLED: _ClassVar[FailureCode]
    FAILURE_CODE_UNAVAILABLE: _ClassVar[FailureCode]
    FAILURE_CODE_METHOD_NOT_FOUND: _ClassVar[FailureCode]
    FAILURE_CODE_INTERRUPTED: _ClassVar[FailureCode]
    FAILURE_CODE_SERIALIZATION: _ClassVar[FailureCode]
    FAILURE_CODE_NOT_DETERMINISTIC: _ClassVar[FailureCode]
    FAILURE_CODE_ALREADY_EXISTS: _ClassVar[FailureCode]
    FAILURE_CODE_DEADLOCK: _ClassVar[FailureCode]
    FAILURE_CODE_REENTRANCY: _ClassVar[FailureCode]
    FAILURE_CODE_CRASHED: _ClassVar[FailureCode]

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_SCHEDULED: _ClassVar[Status]
    STATUS_QUEUED: _ClassVar[Status]
    STATUS_RUNNING: _ClassVar[Status]
    STATUS_SUSPENDED: _ClassVar[Status]
    STATUS_PAUSED: _ClassVar[Status]
    STATUS_BLOCKED: _ClassVar[Status]
    STATUS_COMPLETED: _ClassVar[Status]
    STATUS_FAILED: _ClassVar[Status]
    STATUS_CANCELLED: _ClassVar[Status]
    STATUS_TIMED_OUT: _ClassVar[Status]
FAILURE_CODE_UNSPECIFIED: FailureCode
FAILURE_CODE_APPLICATION: FailureCode
FAILURE_CODE_TIMEOUT: FailureCode
FAILURE_CODE_CANCELLED: FailureCode
FAILURE_CODE_UNAVAILABLE: FailureCode
FAILURE_CODE_METHOD_NOT_FOUND: FailureCode
FAILURE_CODE_INTERRUPTED: FailureCode
FAILURE_CODE_SERIALIZATION: FailureCode
FAILURE_CODE_NOT_DETERMINISTIC: FailureCode
FAILURE_CODE_ALREADY_EXISTS: FailureCode
FAILURE_CODE_DEADLOCK: FailureCode
FAILURE_CODE_REENTRANCY: FailureCode
FAILURE_CODE_CRASHED: FailureCode
STATUS_UNSPECIFIED: Status
STATUS_SCHEDULED: Status
STATUS_QUEUED: Status
STATUS_RUNNING: Status
STATUS_SUSPENDED: Status
STATUS_PAUSED: Status
STATUS_BLOCKED: Status
STATUS_COMPLETED: Status
STATUS_FAILED: Status
STATUS_CANCELLED: Status
STATUS_TIMED_OUT: Status

class Payload(_message.Message):
    __slots__ = ("data", "encoding", "digest", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    encoding: str
    digest: bytes
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, data: _Optional[bytes] = ..., encoding: _Optional[str] = ..., digest: _Optional[bytes] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("type_name", "message", "code", "module", "qualname", "args", "details", "traceback_text", "not_retryable", "retry_after_ms", "causes")
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MODULE_FIELD_NUMBER: _ClassVar[int]
    QUALNAME_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_TEXT_FIELD_NUMBER: _ClassVar[int]
    NOT_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    type_name: str
    message: str
    code: FailureCode
    module: str
    qualname: str
    args: Payload
    details: Payload
    traceback_text: str
    not_retryable: bool
    retry_after_ms: int
    causes: _containers.RepeatedCompositeFieldContainer[Failure]
    def __init__(self, type_name: _Optional[str] = ..., message: _Optional[str] = ..., code: _Optional[_Union[FailureCode, str]] = ..., module: _Optional[str] = ..., qualname: _Optional[str] = ..., args: _Optional[_Union[Payload, _Mapping]] = ..., details: _Optional[_Union[Payload, _Mapping]] = ..., traceback_text: _Optional[str] = ..., not_retryable: bool = ..., retry_after_ms: _Optional[int] = ..., causes: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("max_retries", "delay_ms", "factor", "max_delay_ms")
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    MAX_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    max_retries: int
    delay_ms: int
    factor: float
    max_delay_ms: int
    def __init__(self, max_retries: _Optional[int] = ..., delay_ms: _Optional[int] = ..., factor: _Optional[float] = ..., max_delay_ms: _Optional[int] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("service", "method", "key")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    service: str
    method: str
    key: str
    def __init__(self, service: _Optional[str] = ..., method: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class ParentLink(_message.Message):
    __slots__ = ("namespace", "id", "run", "attempt", "path", "detached")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: str
    run: int
    attempt: int
    path: str
    detached: bool
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[str] = ..., run: _Optional[int] = ..., attempt: _Optional[int] = ..., path: _Optional[str] = ..., detached: bool = ...) -> None: ...

class StartOptions(_message.Message):
    __slots__ = ("priority", "start_at_ms", "attempt_timeout_ms", "execution_timeout_ms", "retry", "handler_retry", "metadata", "delay_ms", "labels")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    START_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    HANDLER_RETRY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    priority: int
    start_at_ms: int
    attempt_timeout_ms: int
    execution_timeout_ms: int
    retry: Retry
    handler_retry: Retry
    metadata: _containers.ScalarMap[str, str]
    delay_ms: int
    labels: _containers.ScalarMap[str, str]
    def __init__(self, priority: _Optional[int] = ..., start_at_ms: _Optional[int] = ..., attempt_timeout_ms: _Optional[int] = ..., execution_timeout_ms: _Optional[int] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., handler_retry: _Optional[_Union[Retry, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., delay_ms: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("done", "total", "message")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    done: float
    total: float
    message: str
    def __init__(self, done: _Optional[float] = ..., total: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class ErrorDetail(_message.Message):
    __slots__ = ("name", "message", "retry_after_ms", "execution_id", "type_name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    message: str
    retry_after_ms: int
    execution_id: str
    type_name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., message: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., execution_id: _Optional[str] = ..., type_name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
