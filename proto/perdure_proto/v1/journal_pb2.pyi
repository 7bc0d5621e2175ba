from . import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DependencyChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPENDENCY_CHANGE_UNSPECIFIED: _ClassVar[DependencyChange]
    DEPENDENCY_CHANGE_ADDED: _ClassVar[DependencyChange]
    DEPENDENCY_CHANGE_REMOVED: _ClassVar[DependencyChange]
    DEPENDENCY_CHANGE_SETTLED: _ClassVar[DependencyChange]
DEPENDENCY_CHANGE_UNSPECIFIED: DependencyChange
DEPENDENCY_CHANGE_ADDED: DependencyChange
DEPENDENCY_CHANGE_REMOVED: DependencyChange
DEPENDENCY_CHANGE_SETTLED: DependencyChange

class Entry(_message.Message):
    __slots__ = ("index", "time_ms", "step_completed", "step_failed", "call_issued", "timer_started", "branch_completed", "command_reused", "state_written", "step_started", "patch_decided", "forgotten", "value_emitted", "step_checkpointed", "event_awaited", "event_sent", "promise_created", "call_completed", "timer_fired", "event_received", "promise_settled", "execution_created", "execution_ended", "execution_retried", "execution_continued", "attempt_started", "attempt_ended", "attempt_timed_out", "cancel_requested", "paused", "resumed", "task_moved", "task_reported", "dependency_changed")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STEP_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    STEP_FAILED_FIELD_NUMBER: _ClassVar[int]
    CALL_ISSUED_FIELD_NUMBER: _ClassVar[int]
    TIMER_STARTED_FIELD_NUMBER: _ClassVar[int]
    BRANCH_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    COMMAND_REUSED_FIELD_NUMBER: _ClassVar[int]
    STATE_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    PATCH_DECIDED_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    VALUE_EMITTED_FIELD_NUMBER: _ClassVar[int]
    STEP_CHECKPOINTED_FIELD_NUMBER: _ClassVar[int]
    EVENT_AWAITED_FIELD_NUMBER: _ClassVar[int]
    EVENT_SENT_FIELD_NUMBER: _ClassVar[int]
    PROMISE_CREATED_FIELD_NUMBER: _ClassVar[int]
    CALL_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIRED_FIELD_NUMBER: _ClassVar[int]
    EVENT_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    PROMISE_SETTLED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_CREATED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ENDED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_RETRIED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_CONTINUED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_STARTED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_ENDED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    TASK_MOVED_FIELD_NUMBER: _ClassVar[int]
    TASK_REPORTED_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCY_CHANGED_FIELD_NUMBER: _ClassVar[int]
    index: int
    time_ms: int
    step_completed: StepCompleted
    step_failed: StepFailed
    call_issued: CallIssued
    timer_started: TimerStarted
    branch_completed: BranchCompleted
    command_reused: CommandReused
    state_written: StateWritten
    step_started: StepStarted
    patch_decided: PatchDecided
    forgotten: Forgotten
    value_emitted: ValueEmitted
    step_checkpointed: StepCheckpointed
    event_awaited: EventAwaited
    event_sent: EventSent
    promise_created: PromiseCreated
    call_completed: CallCompleted
    timer_fired: TimerFired
    event_received: EventReceived
    promise_settled: PromiseSettled
    execution_created: ExecutionCreated
    execution_ended: ExecutionEnded
    execution_retried: ExecutionRetried
    execution_continued: ExecutionContinued
    attempt_started: AttemptStarted
    attempt_ended: AttemptEnded
    attempt_timed_out: AttemptTimedOut
    cancel_requested: CancelRequested
    paused: Paused
    resumed: Resumed
    task_moved: TaskMoved
    task_reported: TaskReported
    dependency_changed: DependencyChanged
    def __init__(self, index: _Optional[int] = ..., time_ms: _Optional[int] = ..., step_completed: _Optional[_Union[StepCompleted, _Mapping]] = ..., step_failed: _Optional[_Union[StepFailed, _Mapping]] = ..., call_issued: _Optional[_Union[CallIssued, _Mapping]] = ..., timer_started: _Optional[_Union[TimerStarted, _Mapping]] = ..., branch_completed: _Optional[_Union[BranchCompleted, _Mapping]] = ..., command_reused: _Optional[_Union[CommandReused, _Mapping]] = ..., state_written: _Optional[_Union[StateWritten, _Mapping]] = ..., step_started: _Optional[_Union[StepStarted, _Mapping]] = ..., patch_decided: _Optional[_Union[PatchDecided, _Mapping]] = ..., forgotten: _Optional[_Union[Forgotten, _Mapping]] = ..., value_emitted: _Optional[_Union[ValueEmitted, _Mapping]] = ..., step_checkpointed: _Optional[_Union[StepCheckpointed, _Mapping]] = ..., event_awaited: _Optional[_Union[EventAwaited, _Mapping]] = ..., event_sent: _Optional[_Union[EventSent, _Mapping]] = ..., promise_created: _Optional[_Union[PromiseCreated, _Mapping]] = ..., call_completed: _Optional[_Union[CallCompleted, _Mapping]] = ..., timer_fired: _Optional[_Union[TimerFired, _Mapping]] = ..., event_received: _Optional[_Union[EventReceived, _Mapping]] = ..., promise_settled: _Optional[_Union[PromiseSettled, _Mapping]] = ..., execution_created: _Optional[_Union[ExecutionCreated, _Mapping]] = ..., execution_ended: _Optional[_Union[ExecutionEnded, _Mapping]] = ..., execution_retried: _Optional[_Union[ExecutionRetried, _Mapping]] = ..., execution_continued: _Optional[_Union[ExecutionContinued, _Mapping]] = ..., attempt_started: _Optional[_Union[AttemptStarted, _Mapping]] = ..., attempt_ended: _Optional[_Union[AttemptEnded, _Mapping]] = ..., attempt_timed_out: _Optional[_Union[AttemptTimedOut, _Mapping]] = ..., cancel_requested: _Optional[_Union[CancelRequested, _Mapping]] = ..., paused: _Optional[_Union[Paused, _Mapping]] = ..., resumed: _Optional[_Union[Resumed, _Mapping]] = ..., task_moved: _Optional[_Union[TaskMoved, _Mapping]] = ..., task_reported: _Optional[_Union[TaskReported, _Mapping]] = ..., dependency_changed: _Optional[_Union[DependencyChanged, _Mapping]] = ...) -> None: ...

class StateWrite(_message.Message):
    __slots__ = ("key", "json", "payload")
    KEY_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    key: str
    json: bytes
    payload: _common_pb2.Payload
    def __init__(self, key: _Optional[str] = ..., json: _Optional[bytes] = ..., payload: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class StepStarted(_message.Message):
    __slots__ = ("path", "name", "digest", "key", "epoch", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    digest: bytes
    key: bytes
    epoch: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., digest: _Optional[bytes] = ..., key: _Optional[bytes] = ..., epoch: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class StepCompleted(_message.Message):
    __slots__ = ("path", "name", "digest", "key", "result_json", "result", "failure", "tries", "writes", "compensates", "object_state")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    COMPENSATES_FIELD_NUMBER: _ClassVar[int]
    OBJECT_STATE_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    digest: bytes
    key: bytes
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    tries: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    compensates: bytes
    object_state: _common_pb2.Payload
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., digest: _Optional[bytes] = ..., key: _Optional[bytes] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., tries: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ..., compensates: _Optional[bytes] = ..., object_state: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class StepFailed(_message.Message):
    __slots__ = ("path", "name", "digest", "key", "failure", "tries", "delay_ms", "due_ms", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    digest: bytes
    key: bytes
    failure: _common_pb2.Failure
    tries: int
    delay_ms: int
    due_ms: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., digest: _Optional[bytes] = ..., key: _Optional[bytes] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., tries: _Optional[int] = ..., delay_ms: _Optional[int] = ..., due_ms: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class StepCheckpointed(_message.Message):
    __slots__ = ("path", "key", "number", "name", "value", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    key: bytes
    number: int
    name: str
    value: _common_pb2.Payload
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., key: _Optional[bytes] = ..., number: _Optional[int] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class CallIssued(_message.Message):
    __slots__ = ("path", "target", "input", "key", "child_id", "timeout_ms", "retry", "handler_retry", "detached", "delay_ms", "writes", "compensates")
    PATH_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    HANDLER_RETRY_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    COMPENSATES_FIELD_NUMBER: _ClassVar[int]
    path: str
    target: _common_pb2.Target
    input: _common_pb2.Payload
    key: bytes
    child_id: str
    timeout_ms: int
    retry: _common_pb2.Retry
    handler_retry: _common_pb2.Retry
    detached: bool
    delay_ms: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    compensates: bytes
    def __init__(self, path: _Optional[str] = ..., target: _Optional[_Union[_common_pb2.Target, _Mapping]] = ..., input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., key: _Optional[bytes] = ..., child_id: _Optional[str] = ..., timeout_ms: _Optional[int] = ..., retry: _Optional[_Union[_common_pb2.Retry, _Mapping]] = ..., handler_retry: _Optional[_Union[_common_pb2.Retry, _Mapping]] = ..., detached: bool = ..., delay_ms: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ..., compensates: _Optional[bytes] = ...) -> None: ...

class CallCompleted(_message.Message):
    __slots__ = ("path", "attempt", "result_json", "result", "failure")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ...) -> None: ...

class TimerStarted(_message.Message):
    __slots__ = ("path", "delay_ms", "due_ms", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    delay_ms: int
    due_ms: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., delay_ms: _Optional[int] = ..., due_ms: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class TimerFired(_message.Message):
    __slots__ = ("path", "attempt")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class BranchCompleted(_message.Message):
    __slots__ = ("path", "name", "digest", "key", "result_json", "result", "failure", "writes", "compensates")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    COMPENSATES_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    digest: bytes
    key: bytes
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    compensates: bytes
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., digest: _Optional[bytes] = ..., key: _Optional[bytes] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ..., compensates: _Optional[bytes] = ...) -> None: ...

class CommandReused(_message.Message):
    __slots__ = ("path", "kind", "name", "digest", "key", "source_index", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_INDEX_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: str
    name: str
    digest: bytes
    key: bytes
    source_index: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., digest: _Optional[bytes] = ..., key: _Optional[bytes] = ..., source_index: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class StateWritten(_message.Message):
    __slots__ = ("writes",)
    WRITES_FIELD_NUMBER: _ClassVar[int]
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class PatchDecided(_message.Message):
    __slots__ = ("id", "deprecated", "writes")
    ID_FIELD_NUMBER: _ClassVar[int]
    DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    id: str
    deprecated: bool
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, id: _Optional[str] = ..., deprecated: bool = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class Forgotten(_message.Message):
    __slots__ = ("path", "name", "key", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    key: bytes
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., key: _Optional[bytes] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class ValueEmitted(_message.Message):
    __slots__ = ("path", "value", "key", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    value: _common_pb2.Payload
    key: bytes
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., key: _Optional[bytes] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class EventAwaited(_message.Message):
    __slots__ = ("path", "event_id", "key", "timeout_ms", "since_start", "due_ms", "source_index", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    SINCE_START_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_INDEX_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    event_id: str
    key: bytes
    timeout_ms: int
    since_start: bool
    due_ms: int
    source_index: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., event_id: _Optional[str] = ..., key: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ..., since_start: bool = ..., due_ms: _Optional[int] = ..., source_index: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class EventReceived(_message.Message):
    __slots__ = ("path", "attempt", "sequence", "payload")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    sequence: int
    payload: _common_pb2.Payload
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., sequence: _Optional[int] = ..., payload: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class EventSent(_message.Message):
    __slots__ = ("path", "event_id", "payload", "key", "execution_id", "dedupe_id", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    DEDUPE_ID_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    event_id: str
    payload: _common_pb2.Payload
    key: bytes
    execution_id: str
    dedupe_id: str
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., event_id: _Optional[str] = ..., payload: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., key: _Optional[bytes] = ..., execution_id: _Optional[str] = ..., dedupe_id: _Optional[str] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class PromiseCreated(_message.Message):
    __slots__ = ("path", "name", "key", "timeout_ms", "heartbeat_timeout_ms", "due_ms", "writes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    key: bytes
    timeout_ms: int
    heartbeat_timeout_ms: int
    due_ms: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., key: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ..., heartbeat_timeout_ms: _Optional[int] = ..., due_ms: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class PromiseSettled(_message.Message):
    __slots__ = ("path", "attempt", "key", "result_json", "result", "failure", "timed_out")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    key: bytes
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    timed_out: bool
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., key: _Optional[bytes] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., timed_out: bool = ...) -> None: ...

class ConsumedEvents(_message.Message):
    __slots__ = ("event_id", "after", "upto")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    UPTO_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    after: int
    upto: int
    def __init__(self, event_id: _Optional[str] = ..., after: _Optional[int] = ..., upto: _Optional[int] = ...) -> None: ...

class ExecutionCreated(_message.Message):
    __slots__ = ("target", "input", "key_base", "run", "options", "parent", "trace", "journal_version", "held", "event_sequence", "consumed", "forked", "writes")
    class TraceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    KEY_BASE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_VERSION_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    EVENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_FIELD_NUMBER: _ClassVar[int]
    FORKED_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    target: _common_pb2.Target
    input: _common_pb2.Payload
    key_base: bytes
    run: int
    options: _common_pb2.StartOptions
    parent: _common_pb2.ParentLink
    trace: _containers.ScalarMap[str, str]
    journal_version: int
    held: _containers.RepeatedScalarFieldContainer[str]
    event_sequence: int
    consumed: _containers.RepeatedCompositeFieldContainer[ConsumedEvents]
    forked: Forked
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, target: _Optional[_Union[_common_pb2.Target, _Mapping]] = ..., input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., key_base: _Optional[bytes] = ..., run: _Optional[int] = ..., options: _Optional[_Union[_common_pb2.StartOptions, _Mapping]] = ..., parent: _Optional[_Union[_common_pb2.ParentLink, _Mapping]] = ..., trace: _Optional[_Mapping[str, str]] = ..., journal_version: _Optional[int] = ..., held: _Optional[_Iterable[str]] = ..., event_sequence: _Optional[int] = ..., consumed: _Optional[_Iterable[_Union[ConsumedEvents, _Mapping]]] = ..., forked: _Optional[_Union[Forked, _Mapping]] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class Forked(_message.Message):
    __slots__ = ("id", "run", "path", "bases")
    ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    id: str
    run: int
    path: str
    bases: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, id: _Optional[str] = ..., run: _Optional[int] = ..., path: _Optional[str] = ..., bases: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ExecutionContinued(_message.Message):
    __slots__ = ("writes",)
    WRITES_FIELD_NUMBER: _ClassVar[int]
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    def __init__(self, writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ...) -> None: ...

class ExecutionEnded(_message.Message):
    __slots__ = ("status", "result_json", "result", "failure", "writes", "object_state", "unclaimed_events")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    OBJECT_STATE_FIELD_NUMBER: _ClassVar[int]
    UNCLAIMED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.Status
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    object_state: _common_pb2.Payload
    unclaimed_events: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, status: _Optional[_Union[_common_pb2.Status, str]] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ..., object_state: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., unclaimed_events: _Optional[_Iterable[int]] = ...) -> None: ...

class ExecutionRetried(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: _common_pb2.Payload
    def __init__(self, input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class AttemptStarted(_message.Message):
    __slots__ = ("attempt", "retry", "timeout_ms", "build_id", "on_exhausted", "object_state")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    ON_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    OBJECT_STATE_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    retry: _common_pb2.Retry
    timeout_ms: int
    build_id: str
    on_exhausted: str
    object_state: _common_pb2.Payload
    def __init__(self, attempt: _Optional[int] = ..., retry: _Optional[_Union[_common_pb2.Retry, _Mapping]] = ..., timeout_ms: _Optional[int] = ..., build_id: _Optional[str] = ..., on_exhausted: _Optional[str] = ..., object_state: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class AttemptEnded(_message.Message):
    __slots__ = ("attempt", "failure", "next_ms", "writes", "object_state", "unclaimed_events")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    NEXT_MS_FIELD_NUMBER: _ClassVar[int]
    WRITES_FIELD_NUMBER: _ClassVar[int]
    OBJECT_STATE_FIELD_NUMBER: _ClassVar[int]
    UNCLAIMED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    failure: _common_pb2.Failure
    next_ms: int
    writes: _containers.RepeatedCompositeFieldContainer[StateWrite]
    object_state: _common_pb2.Payload
    unclaimed_events: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, attempt: _Optional[int] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., next_ms: _Optional[int] = ..., writes: _Optional[_Iterable[_Union[StateWrite, _Mapping]]] = ..., object_state: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., unclaimed_events: _Optional[_Iterable[int]] = ...) -> None: ...

class AttemptTimedOut(_message.Message):
    __slots__ = ("attempt",)
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    def __init__(self, attempt: _Optional[int] = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("reason", "timed_out", "trace")
    class TraceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    timed_out: bool
    trace: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[str] = ..., timed_out: bool = ..., trace: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Paused(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Resumed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TaskMoved(_message.Message):
    __slots__ = ("status", "event", "actor", "claim", "message", "failure", "due_ms")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.TaskStatus
    event: str
    actor: _common_pb2.WorkerRef
    claim: int
    message: str
    failure: _common_pb2.Failure
    due_ms: int
    def __init__(self, status: _Optional[_Union[_common_pb2.TaskStatus, str]] = ..., event: _Optional[str] = ..., actor: _Optional[_Union[_common_pb2.WorkerRef, _Mapping]] = ..., claim: _Optional[int] = ..., message: _Optional[str] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., due_ms: _Optional[int] = ...) -> None: ...

class TaskReported(_message.Message):
    __slots__ = ("event", "actor", "message", "percent", "remaining_ms", "priority", "definition")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    event: str
    actor: _common_pb2.WorkerRef
    message: str
    percent: float
    remaining_ms: int
    priority: int
    definition: _common_pb2.Payload
    def __init__(self, event: _Optional[str] = ..., actor: _Optional[_Union[_common_pb2.WorkerRef, _Mapping]] = ..., message: _Optional[str] = ..., percent: _Optional[float] = ..., remaining_ms: _Optional[int] = ..., priority: _Optional[int] = ..., definition: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class DependencyChanged(_message.Message):
    __slots__ = ("change", "dependency", "status")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    change: DependencyChange
    dependency: _common_pb2.Dependency
    status: _common_pb2.Status
    def __init__(self, change: _Optional[_Union[DependencyChange, str]] = ..., dependency: _Optional[_Union[_common_pb2.Dependency, _Mapping]] = ..., status: _Optional[_Union[_common_pb2.Status, str]] = ...) -> None: ...
