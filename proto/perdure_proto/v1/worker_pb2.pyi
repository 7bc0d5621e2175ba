from . import common_pb2 as _common_pb2
from . import journal_pb2 as _journal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerFrame(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[WorkerMessage]
    def __init__(self, messages: _Optional[_Iterable[_Union[WorkerMessage, _Mapping]]] = ...) -> None: ...

class CoordinatorFrame(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[CoordinatorMessage]
    def __init__(self, messages: _Optional[_Iterable[_Union[CoordinatorMessage, _Mapping]]] = ...) -> None: ...

class WorkerMessage(_message.Message):
    __slots__ = ("append", "finish", "heartbeat", "release", "mismatch", "hello", "drain")
    APPEND_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    MISMATCH_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    append: Append
    finish: Finish
    heartbeat: Heartbeat
    release: Release
    mismatch: Mismatch
    hello: Hello
    drain: DrainWorker
    def __init__(self, append: _Optional[_Union[Append, _Mapping]] = ..., finish: _Optional[_Union[Finish, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., release: _Optional[_Union[Release, _Mapping]] = ..., mismatch: _Optional[_Union[Mismatch, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., drain: _Optional[_Union[DrainWorker, _Mapping]] = ...) -> None: ...

class CoordinatorMessage(_message.Message):
    __slots__ = ("entries", "activate", "heartbeat", "evict", "journal", "welcome", "adopt", "drain", "refused")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    ACTIVATE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    EVICT_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ADOPT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    entries: Entries
    activate: Activate
    heartbeat: Heartbeat
    evict: Evict
    journal: Journal
    welcome: Welcome
    adopt: Adopt
    drain: DrainCoordinator
    refused: Refused
    def __init__(self, entries: _Optional[_Union[Entries, _Mapping]] = ..., activate: _Optional[_Union[Activate, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., evict: _Optional[_Union[Evict, _Mapping]] = ..., journal: _Optional[_Union[Journal, _Mapping]] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., adopt: _Optional[_Union[Adopt, _Mapping]] = ..., drain: _Optional[_Union[DrainCoordinator, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("worker_id", "namespace", "protocol_min", "protocol_max", "methods", "slots", "build_id", "labels", "encodings", "cached")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    namespace: str
    protocol_min: int
    protocol_max: int
    methods: _containers.RepeatedCompositeFieldContainer[MethodSpec]
    slots: int
    build_id: str
    labels: _containers.ScalarMap[str, str]
    encodings: _containers.RepeatedScalarFieldContainer[str]
    cached: _containers.RepeatedCompositeFieldContainer[Cached]
    def __init__(self, worker_id: _Optional[str] = ..., namespace: _Optional[str] = ..., protocol_min: _Optional[int] = ..., protocol_max: _Optional[int] = ..., methods: _Optional[_Iterable[_Union[MethodSpec, _Mapping]]] = ..., slots: _Optional[int] = ..., build_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., encodings: _Optional[_Iterable[str]] = ..., cached: _Optional[_Iterable[_Union[Cached, _Mapping]]] = ...) -> None: ...

class MethodSpec(_message.Message):
    __slots__ = ("service", "method", "kind", "version", "retry", "attempt_timeout_ms", "execution_timeout_ms", "on_exhausted", "input_schema", "output_schema", "shared", "max_concurrency", "rate", "attempt_timeouts_ms")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    ON_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_TIMEOUTS_MS_FIELD_NUMBER: _ClassVar[int]
    service: str
    method: str
    kind: str
    version: str
    retry: _common_pb2.Retry
    attempt_timeout_ms: int
    execution_timeout_ms: int
    on_exhausted: str
    input_schema: str
    output_schema: str
    shared: bool
    max_concurrency: int
    rate: Rate
    attempt_timeouts_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, service: _Optional[str] = ..., method: _Optional[str] = ..., kind: _Optional[str] = ..., version: _Optional[str] = ..., retry: _Optional[_Union[_common_pb2.Retry, _Mapping]] = ..., attempt_timeout_ms: _Optional[int] = ..., execution_timeout_ms: _Optional[int] = ..., on_exhausted: _Optional[str] = ..., input_schema: _Optional[str] = ..., output_schema: _Optional[str] = ..., shared: bool = ..., max_concurrency: _Optional[int] = ..., rate: _Optional[_Union[Rate, _Mapping]] = ..., attempt_timeouts_ms: _Optional[_Iterable[int]] = ...) -> None: ...

class Rate(_message.Message):
    __slots__ = ("per_second", "burst")
    PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    per_second: float
    burst: int
    def __init__(self, per_second: _Optional[float] = ..., burst: _Optional[int] = ...) -> None: ...

class Cached(_message.Message):
    __slots__ = ("namespace", "id", "run", "attempt", "epoch", "last_index", "acknowledged", "first_time_ms", "last_time_ms")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: str
    run: int
    attempt: int
    epoch: int
    last_index: int
    acknowledged: int
    first_time_ms: int
    last_time_ms: int
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[str] = ..., run: _Optional[int] = ..., attempt: _Optional[int] = ..., epoch: _Optional[int] = ..., last_index: _Optional[int] = ..., acknowledged: _Optional[int] = ..., first_time_ms: _Optional[int] = ..., last_time_ms: _Optional[int] = ...) -> None: ...

class Append(_message.Message):
    __slots__ = ("epoch", "base", "consumed", "commands", "cancel_calls", "cancel_timers", "idle", "progress")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_CALLS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TIMERS_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    base: int
    consumed: int
    commands: _containers.RepeatedCompositeFieldContainer[_journal_pb2.Entry]
    cancel_calls: _containers.RepeatedScalarFieldContainer[str]
    cancel_timers: _containers.RepeatedScalarFieldContainer[str]
    idle: bool
    progress: _common_pb2.Progress
    def __init__(self, epoch: _Optional[int] = ..., base: _Optional[int] = ..., consumed: _Optional[int] = ..., commands: _Optional[_Iterable[_Union[_journal_pb2.Entry, _Mapping]]] = ..., cancel_calls: _Optional[_Iterable[str]] = ..., cancel_timers: _Optional[_Iterable[str]] = ..., idle: bool = ..., progress: _Optional[_Union[_common_pb2.Progress, _Mapping]] = ...) -> None: ...

class Finish(_message.Message):
    __slots__ = ("epoch", "base", "consumed", "result_json", "result", "failure", "cancelled", "timed_out", "progress", "writes", "object_state", "unclaimed_events", "continue_input", "state")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    OBJECT_STATE_FIELD_NUMBER: _ClassVar[int]
    UNCLAIMED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_INPUT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    base: int
    consumed: int
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    cancelled: bool
    timed_out: bool
    progress: _common_pb2.Progress
    writes: _containers.RepeatedCompositeFieldContainer[_journal_pb2.StateWrite]
    object_state: _common_pb2.Payload
    unclaimed_events: _containers.RepeatedScalarFieldContainer[int]
    continue_input: _common_pb2.Payload
    state: _containers.RepeatedCompositeFieldContainer[_journal_pb2.StateWrite]
    def __init__(self, epoch: _Optional[int] = ..., base: _Optional[int] = ..., consumed: _Optional[int] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., cancelled: bool = ..., timed_out: bool = ..., progress: _Optional[_Union[_common_pb2.Progress, _Mapping]] = ..., writes: _Optional[_Iterable[_Union[_journal_pb2.StateWrite, _Mapping]]] = ..., object_state: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., unclaimed_events: _Optional[_Iterable[int]] = ..., continue_input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., state: _Optional[_Iterable[_Union[_journal_pb2.StateWrite, _Mapping]]] = ...) -> None: ...

class Mismatch(_message.Message):
    __slots__ = ("epoch", "diff")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    diff: str
    def __init__(self, epoch: _Optional[int] = ..., diff: _Optional[str] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("epoch", "reason")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    reason: str
    def __init__(self, epoch: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DrainWorker(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("session_id", "protocol", "coordinator_id", "lease_ms", "resume_ms", "server_time_ms")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    RESUME_MS_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    protocol: int
    coordinator_id: str
    lease_ms: int
    resume_ms: int
    server_time_ms: int
    def __init__(self, session_id: _Optional[str] = ..., protocol: _Optional[int] = ..., coordinator_id: _Optional[str] = ..., lease_ms: _Optional[int] = ..., resume_ms: _Optional[int] = ..., server_time_ms: _Optional[int] = ...) -> None: ...

class Activate(_message.Message):
    __slots__ = ("epoch", "namespace", "id", "run", "attempt", "target", "kind", "entries", "more", "patches", "progress")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    namespace: str
    id: str
    run: int
    attempt: int
    target: _common_pb2.Target
    kind: str
    entries: _containers.RepeatedCompositeFieldContainer[_journal_pb2.Entry]
    more: bool
    patches: _containers.RepeatedScalarFieldContainer[str]
    progress: _common_pb2.Progress
    def __init__(self, epoch: _Optional[int] = ..., namespace: _Optional[str] = ..., id: _Optional[str] = ..., run: _Optional[int] = ..., attempt: _Optional[int] = ..., target: _Optional[_Union[_common_pb2.Target, _Mapping]] = ..., kind: _Optional[str] = ..., entries: _Optional[_Iterable[_Union[_journal_pb2.Entry, _Mapping]]] = ..., more: bool = ..., patches: _Optional[_Iterable[str]] = ..., progress: _Optional[_Union[_common_pb2.Progress, _Mapping]] = ...) -> None: ...

class Journal(_message.Message):
    __slots__ = ("epoch", "entries", "more")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    entries: _containers.RepeatedCompositeFieldContainer[_journal_pb2.Entry]
    more: bool
    def __init__(self, epoch: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[_journal_pb2.Entry, _Mapping]]] = ..., more: bool = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("first_index", "count", "time_ms")
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    first_index: int
    count: int
    time_ms: int
    def __init__(self, first_index: _Optional[int] = ..., count: _Optional[int] = ..., time_ms: _Optional[int] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("ack", "entry")
    ACK_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    ack: Ack
    entry: _journal_pb2.Entry
    def __init__(self, ack: _Optional[_Union[Ack, _Mapping]] = ..., entry: _Optional[_Union[_journal_pb2.Entry, _Mapping]] = ...) -> None: ...

class Entries(_message.Message):
    __slots__ = ("epoch", "items")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    items: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, epoch: _Optional[int] = ..., items: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class Adopt(_message.Message):
    __slots__ = ("old_epoch", "epoch", "items")
    OLD_EPOCH_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    old_epoch: int
    epoch: int
    items: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, old_epoch: _Optional[int] = ..., epoch: _Optional[int] = ..., items: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class Evict(_message.Message):
    __slots__ = ("epoch", "reason")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    reason: str
    def __init__(self, epoch: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class DrainCoordinator(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Refused(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
