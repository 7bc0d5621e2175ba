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

class TaskStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_STATUS_UNSPECIFIED: _ClassVar[TaskStatus]
    TASK_STATUS_PENDING: _ClassVar[TaskStatus]
    TASK_STATUS_SCHEDULED: _ClassVar[TaskStatus]
    TASK_STATUS_QUEUED: _ClassVar[TaskStatus]
    TASK_STATUS_ASSIGNED: _ClassVar[TaskStatus]
    TASK_STATUS_IN_PROGRESS: _ClassVar[TaskStatus]
    TASK_STATUS_BLOCKED: _ClassVar[TaskStatus]
    TASK_STATUS_REVIEW: _ClassVar[TaskStatus]
    TASK_STATUS_COMPLETED: _ClassVar[TaskStatus]
    TASK_STATUS_FAILED: _ClassVar[TaskStatus]
    TASK_STATUS_CANCELLED: _ClassVar[TaskStatus]

class OnDependency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_DEPENDENCY_UNSPECIFIED: _ClassVar[OnDependency]
    ON_DEPENDENCY_BLOCK: _ClassVar[OnDependency]
    ON_DEPENDENCY_FAIL: _ClassVar[OnDependency]
    ON_DEPENDENCY_CANCEL: _ClassVar[OnDependency]
    ON_DEPENDENCY_IGNORE: _ClassVar[OnDependency]
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
TASK_STATUS_UNSPECIFIED: TaskStatus
TASK_STATUS_PENDING: TaskStatus
TASK_STATUS_SCHEDULED: TaskStatus
TASK_STATUS_QUEUED: TaskStatus
TASK_STATUS_ASSIGNED: TaskStatus
TASK_STATUS_IN_PROGRESS: TaskStatus
TASK_STATUS_BLOCKED: TaskStatus
TASK_STATUS_REVIEW: TaskStatus
TASK_STATUS_COMPLETED: TaskStatus
TASK_STATUS_FAILED: TaskStatus
TASK_STATUS_CANCELLED: TaskStatus
ON_DEPENDENCY_UNSPECIFIED: OnDependency
ON_DEPENDENCY_BLOCK: OnDependency
ON_DEPENDENCY_FAIL: OnDependency
ON_DEPENDENCY_CANCEL: OnDependency
ON_DEPENDENCY_IGNORE: OnDependency

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
    __slots__ = ("max_retries", "delay_ms", "factor", "max_delay_ms", "delays_ms")
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    MAX_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    DELAYS_MS_FIELD_NUMBER: _ClassVar[int]
    max_retries: int
    delay_ms: int
    factor: float
    max_delay_ms: int
    delays_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, max_retries: _Optional[int] = ..., delay_ms: _Optional[int] = ..., factor: _Optional[float] = ..., max_delay_ms: _Optional[int] = ..., delays_ms: _Optional[_Iterable[int]] = ...) -> None: ...

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
    __slots__ = ("priority", "start_at_ms", "attempt_timeout_ms", "execution_timeout_ms", "retry", "handler_retry", "metadata", "delay_ms", "labels", "task", "after")
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
    TASK_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    priority: int
    start_at_ms: int
    attempt_timeout_ms: int
    execution_timeout_ms: int
    retry: Retry
    handler_retry: Retry
    metadata: _containers.ScalarMap[str, str]
    delay_ms: int
    labels: _containers.ScalarMap[str, str]
    task: TaskOptions
    after: _containers.RepeatedCompositeFieldContainer[Dependency]
    def __init__(self, priority: _Optional[int] = ..., start_at_ms: _Optional[int] = ..., attempt_timeout_ms: _Optional[int] = ..., execution_timeout_ms: _Optional[int] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., handler_retry: _Optional[_Union[Retry, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., delay_ms: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., task: _Optional[_Union[TaskOptions, _Mapping]] = ..., after: _Optional[_Iterable[_Union[Dependency, _Mapping]]] = ...) -> None: ...

class WorkerRef(_message.Message):
    __slots__ = ("id", "type", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    type: str
    name: str
    def __init__(self, id: _Optional[str] = ..., type: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class TaskOptions(_message.Message):
    __slots__ = ("hold", "allowed", "definition")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    hold: bool
    allowed: str
    definition: Payload
    def __init__(self, hold: bool = ..., allowed: _Optional[str] = ..., definition: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class TaskState(_message.Message):
    __slots__ = ("allowed", "order", "worker", "claim", "claims", "lease_ms", "lease_due_ms", "has_begun", "begun_ms", "is_held_back", "starts", "retries", "failures")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    LEASE_DUE_MS_FIELD_NUMBER: _ClassVar[int]
    HAS_BEGUN_FIELD_NUMBER: _ClassVar[int]
    BEGUN_MS_FIELD_NUMBER: _ClassVar[int]
    IS_HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    allowed: str
    order: int
    worker: WorkerRef
    claim: int
    claims: int
    lease_ms: int
    lease_due_ms: int
    has_begun: bool
    begun_ms: int
    is_held_back: bool
    starts: int
    retries: int
    failures: int
    def __init__(self, allowed: _Optional[str] = ..., order: _Optional[int] = ..., worker: _Optional[_Union[WorkerRef, _Mapping]] = ..., claim: _Optional[int] = ..., claims: _Optional[int] = ..., lease_ms: _Optional[int] = ..., lease_due_ms: _Optional[int] = ..., has_begun: bool = ..., begun_ms: _Optional[int] = ..., is_held_back: bool = ..., starts: _Optional[int] = ..., retries: _Optional[int] = ..., failures: _Optional[int] = ...) -> None: ...

class Dependency(_message.Message):
    __slots__ = ("id", "on_failed", "on_cancelled")
    ID_FIELD_NUMBER: _ClassVar[int]
    ON_FAILED_FIELD_NUMBER: _ClassVar[int]
    ON_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    id: str
    on_failed: OnDependency
    on_cancelled: OnDependency
    def __init__(self, id: _Optional[str] = ..., on_failed: _Optional[_Union[OnDependency, str]] = ..., on_cancelled: _Optional[_Union[OnDependency, str]] = ...) -> None: ...

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
