from . import common_pb2 as _common_pb2
from . import journal_pb2 as _journal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IdPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ID_POLICY_UNSPECIFIED: _ClassVar[IdPolicy]
    ID_POLICY_ATTACH: _ClassVar[IdPolicy]
    ID_POLICY_REJECT: _ClassVar[IdPolicy]

class ControlOperation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTROL_OPERATION_UNSPECIFIED: _ClassVar[ControlOperation]
    CONTROL_OPERATION_CANCEL: _ClassVar[ControlOperation]
    CONTROL_OPERATION_RETRY: _ClassVar[ControlOperation]
    CONTROL_OPERATION_PAUSE: _ClassVar[ControlOperation]
    CONTROL_OPERATION_RESUME: _ClassVar[ControlOperation]
    CONTROL_OPERATION_DELETE: _ClassVar[ControlOperation]
    CONTROL_OPERATION_FORK: _ClassVar[ControlOperation]

class Overlap(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERLAP_UNSPECIFIED: _ClassVar[Overlap]
    OVERLAP_SKIP: _ClassVar[Overlap]
    OVERLAP_QUEUE: _ClassVar[Overlap]
    OVERLAP_CANCEL: _ClassVar[Overlap]

class Backfill(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BACKFILL_UNSPECIFIED: _ClassVar[Backfill]
    BACKFILL_LATEST: _ClassVar[Backfill]
    BACKFILL_ALL: _ClassVar[Backfill]
    BACKFILL_NONE: _ClassVar[Backfill]

class ScheduleOperation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEDULE_OPERATION_UNSPECIFIED: _ClassVar[ScheduleOperation]
    SCHEDULE_OPERATION_CREATE: _ClassVar[ScheduleOperation]
    SCHEDULE_OPERATION_DESCRIBE: _ClassVar[ScheduleOperation]
    SCHEDULE_OPERATION_LIST: _ClassVar[ScheduleOperation]
    SCHEDULE_OPERATION_PAUSE: _ClassVar[ScheduleOperation]
    SCHEDULE_OPERATION_RESUME: _ClassVar[ScheduleOperation]
    SCHEDULE_OPERATION_DELETE: _ClassVar[ScheduleOperation]

class TaskOperation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_OPERATION_UNSPECIFIED: _ClassVar[TaskOperation]
    TASK_OPERATION_MOVE: _ClassVar[TaskOperation]
    TASK_OPERATION_START: _ClassVar[TaskOperation]
    TASK_OPERATION_PROGRESS: _ClassVar[TaskOperation]
    TASK_OPERATION_HEARTBEAT: _ClassVar[TaskOperation]
    TASK_OPERATION_RELEASE: _ClassVar[TaskOperation]
    TASK_OPERATION_RETRY: _ClassVar[TaskOperation]
    TASK_OPERATION_COMMENT: _ClassVar[TaskOperation]
    TASK_OPERATION_UPDATE: _ClassVar[TaskOperation]
    TASK_OPERATION_DEPEND: _ClassVar[TaskOperation]
    TASK_OPERATION_UNDEPEND: _ClassVar[TaskOperation]
ID_POLICY_UNSPECIFIED: IdPolicy
ID_POLICY_ATTACH: IdPolicy
ID_POLICY_REJECT: IdPolicy
CONTROL_OPERATION_UNSPECIFIED: ControlOperation
CONTROL_OPERATION_CANCEL: ControlOperation
CONTROL_OPERATION_RETRY: ControlOperation
CONTROL_OPERATION_PAUSE: ControlOperation
CONTROL_OPERATION_RESUME: ControlOperation
CONTROL_OPERATION_DELETE: ControlOperation
CONTROL_OPERATION_FORK: ControlOperation
OVERLAP_UNSPECIFIED: Overlap
OVERLAP_SKIP: Overlap
OVERLAP_QUEUE: Overlap
OVERLAP_CANCEL: Overlap
BACKFILL_UNSPECIFIED: Backfill
BACKFILL_LATEST: Backfill
BACKFILL_ALL: Backfill
BACKFILL_NONE: Backfill
SCHEDULE_OPERATION_UNSPECIFIED: ScheduleOperation
SCHEDULE_OPERATION_CREATE: ScheduleOperation
SCHEDULE_OPERATION_DESCRIBE: ScheduleOperation
SCHEDULE_OPERATION_LIST: ScheduleOperation
SCHEDULE_OPERATION_PAUSE: ScheduleOperation
SCHEDULE_OPERATION_RESUME: ScheduleOperation
SCHEDULE_OPERATION_DELETE: ScheduleOperation
TASK_OPERATION_UNSPECIFIED: TaskOperation
TASK_OPERATION_MOVE: TaskOperation
TASK_OPERATION_START: TaskOperation
TASK_OPERATION_PROGRESS: TaskOperation
TASK_OPERATION_HEARTBEAT: TaskOperation
TASK_OPERATION_RELEASE: TaskOperation
TASK_OPERATION_RETRY: TaskOperation
TASK_OPERATION_COMMENT: TaskOperation
TASK_OPERATION_UPDATE: TaskOperation
TASK_OPERATION_DEPEND: TaskOperation
TASK_OPERATION_UNDEPEND: TaskOperation

class StartRequest(_message.Message):
    __slots__ = ("namespace", "request_id", "id", "target", "input", "options", "id_policy", "trace", "held")
    class TraceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ID_POLICY_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    request_id: str
    id: str
    target: _common_pb2.Target
    input: _common_pb2.Payload
    options: _common_pb2.StartOptions
    id_policy: IdPolicy
    trace: _containers.ScalarMap[str, str]
    held: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, namespace: _Optional[str] = ..., request_id: _Optional[str] = ..., id: _Optional[str] = ..., target: _Optional[_Union[_common_pb2.Target, _Mapping]] = ..., input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., options: _Optional[_Union[_common_pb2.StartOptions, _Mapping]] = ..., id_policy: _Optional[_Union[IdPolicy, str]] = ..., trace: _Optional[_Mapping[str, str]] = ..., held: _Optional[_Iterable[str]] = ...) -> None: ...

class StartReply(_message.Message):
    __slots__ = ("id", "run", "created")
    ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    id: str
    run: int
    created: bool
    def __init__(self, id: _Optional[str] = ..., run: _Optional[int] = ..., created: bool = ...) -> None: ...

class StartBatchRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[StartRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[StartRequest, _Mapping]]] = ...) -> None: ...

class StartBatchReply(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[StartResult]
    def __init__(self, results: _Optional[_Iterable[_Union[StartResult, _Mapping]]] = ...) -> None: ...

class StartResult(_message.Message):
    __slots__ = ("reply", "error")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    reply: StartReply
    error: _common_pb2.ErrorDetail
    def __init__(self, reply: _Optional[_Union[StartReply, _Mapping]] = ..., error: _Optional[_Union[_common_pb2.ErrorDetail, _Mapping]] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("namespace", "id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: str
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Description(_message.Message):
    __slots__ = ("id", "namespace", "target", "kind", "status", "run", "attempt", "priority", "created_ms", "started_ms", "ended_ms", "version", "worker", "journal_length", "waiting_for", "error", "detail", "progress", "parent_id", "labels", "task", "task_status")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    CREATED_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_MS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_LENGTH_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    TASK_STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    namespace: str
    target: _common_pb2.Target
    kind: str
    status: _common_pb2.Status
    run: int
    attempt: int
    priority: int
    created_ms: int
    started_ms: int
    ended_ms: int
    version: str
    worker: str
    journal_length: int
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    error: str
    detail: str
    progress: _common_pb2.Progress
    parent_id: str
    labels: _containers.ScalarMap[str, str]
    task: _common_pb2.TaskState
    task_status: _common_pb2.TaskStatus
    def __init__(self, id: _Optional[str] = ..., namespace: _Optional[str] = ..., target: _Optional[_Union[_common_pb2.Target, _Mapping]] = ..., kind: _Optional[str] = ..., status: _Optional[_Union[_common_pb2.Status, str]] = ..., run: _Optional[int] = ..., attempt: _Optional[int] = ..., priority: _Optional[int] = ..., created_ms: _Optional[int] = ..., started_ms: _Optional[int] = ..., ended_ms: _Optional[int] = ..., version: _Optional[str] = ..., worker: _Optional[str] = ..., journal_length: _Optional[int] = ..., waiting_for: _Optional[_Iterable[str]] = ..., error: _Optional[str] = ..., detail: _Optional[str] = ..., progress: _Optional[_Union[_common_pb2.Progress, _Mapping]] = ..., parent_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., task: _Optional[_Union[_common_pb2.TaskState, _Mapping]] = ..., task_status: _Optional[_Union[_common_pb2.TaskStatus, str]] = ...) -> None: ...

class WatchReply(_message.Message):
    __slots__ = ("states",)
    STATES_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedCompositeFieldContainer[Description]
    def __init__(self, states: _Optional[_Iterable[_Union[Description, _Mapping]]] = ...) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("namespace", "id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: str
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class WaitReply(_message.Message):
    __slots__ = ("outcome", "keepalive")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    keepalive: Keepalive
    def __init__(self, outcome: _Optional[_Union[Outcome, _Mapping]] = ..., keepalive: _Optional[_Union[Keepalive, _Mapping]] = ...) -> None: ...

class Keepalive(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("id", "status", "reason", "result_json", "result", "failure")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    id: str
    status: _common_pb2.Status
    reason: str
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    def __init__(self, id: _Optional[str] = ..., status: _Optional[_Union[_common_pb2.Status, str]] = ..., reason: _Optional[str] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("namespace", "statuses", "service", "method", "id_prefix", "parent_id", "limit", "cursor", "labels", "task_statuses")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TASK_STATUSES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    statuses: _containers.RepeatedScalarFieldContainer[_common_pb2.Status]
    service: str
    method: str
    id_prefix: str
    parent_id: str
    limit: int
    cursor: str
    labels: _containers.ScalarMap[str, str]
    task_statuses: _containers.RepeatedScalarFieldContainer[_common_pb2.TaskStatus]
    def __init__(self, namespace: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[_common_pb2.Status, str]]] = ..., service: _Optional[str] = ..., method: _Optional[str] = ..., id_prefix: _Optional[str] = ..., parent_id: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., task_statuses: _Optional[_Iterable[_Union[_common_pb2.TaskStatus, str]]] = ...) -> None: ...

class ListReply(_message.Message):
    __slots__ = ("items", "next_cursor")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Description]
    next_cursor: str
    def __init__(self, items: _Optional[_Iterable[_Union[Description, _Mapping]]] = ..., next_cursor: _Optional[str] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("namespace", "id", "from_index", "follow", "values_only")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    FROM_INDEX_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    VALUES_ONLY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: str
    from_index: int
    follow: bool
    values_only: bool
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[str] = ..., from_index: _Optional[int] = ..., follow: bool = ..., values_only: bool = ...) -> None: ...

class HistoryPage(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_journal_pb2.Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[_journal_pb2.Entry, _Mapping]]] = ...) -> None: ...

class ControlRequest(_message.Message):
    __slots__ = ("namespace", "request_id", "operation", "ids", "reason", "input", "grace_ms", "filter", "at", "new_id", "trace")
    class TraceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    GRACE_MS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    NEW_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    request_id: str
    operation: ControlOperation
    ids: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    input: _common_pb2.Payload
    grace_ms: int
    filter: ListRequest
    at: str
    new_id: str
    trace: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., request_id: _Optional[str] = ..., operation: _Optional[_Union[ControlOperation, str]] = ..., ids: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., grace_ms: _Optional[int] = ..., filter: _Optional[_Union[ListRequest, _Mapping]] = ..., at: _Optional[str] = ..., new_id: _Optional[str] = ..., trace: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ControlReply(_message.Message):
    __slots__ = ("results", "next_cursor")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ControlResult]
    next_cursor: str
    def __init__(self, results: _Optional[_Iterable[_Union[ControlResult, _Mapping]]] = ..., next_cursor: _Optional[str] = ...) -> None: ...

class ControlResult(_message.Message):
    __slots__ = ("id", "effect", "error_code", "error_message")
    ID_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    effect: bool
    error_code: str
    error_message: str
    def __init__(self, id: _Optional[str] = ..., effect: bool = ..., error_code: _Optional[str] = ..., error_message: _Optional[str] = ...) -> None: ...

class ReadStateRequest(_message.Message):
    __slots__ = ("namespace", "id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: str
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class ReadStateReply(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _common_pb2.Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.MessageMap[str, _common_pb2.Payload]
    def __init__(self, values: _Optional[_Mapping[str, _common_pb2.Payload]] = ...) -> None: ...

class ReadObjectStateRequest(_message.Message):
    __slots__ = ("namespace", "class_name", "key")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    class_name: str
    key: str
    def __init__(self, namespace: _Optional[str] = ..., class_name: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class ReadObjectStateReply(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _common_pb2.Payload
    def __init__(self, state: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class SendEventRequest(_message.Message):
    __slots__ = ("namespace", "request_id", "event_id", "payload", "execution_id", "dedupe_id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    DEDUPE_ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    request_id: str
    event_id: str
    payload: _common_pb2.Payload
    execution_id: str
    dedupe_id: str
    def __init__(self, namespace: _Optional[str] = ..., request_id: _Optional[str] = ..., event_id: _Optional[str] = ..., payload: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., execution_id: _Optional[str] = ..., dedupe_id: _Optional[str] = ...) -> None: ...

class SendEventReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SettlePromiseRequest(_message.Message):
    __slots__ = ("namespace", "request_id", "token", "result_json", "result", "failure", "heartbeat")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    request_id: str
    token: str
    result_json: bytes
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    heartbeat: bool
    def __init__(self, namespace: _Optional[str] = ..., request_id: _Optional[str] = ..., token: _Optional[str] = ..., result_json: _Optional[bytes] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., heartbeat: bool = ...) -> None: ...

class SettlePromiseReply(_message.Message):
    __slots__ = ("effect",)
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    effect: bool
    def __init__(self, effect: bool = ...) -> None: ...

class ScheduleSpec(_message.Message):
    __slots__ = ("target", "input", "options", "cron", "every_ms", "timezone", "overlap", "jitter_ms", "backfill")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    JITTER_MS_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_FIELD_NUMBER: _ClassVar[int]
    target: _common_pb2.Target
    input: _common_pb2.Payload
    options: _common_pb2.StartOptions
    cron: str
    every_ms: int
    timezone: str
    overlap: Overlap
    jitter_ms: int
    backfill: Backfill
    def __init__(self, target: _Optional[_Union[_common_pb2.Target, _Mapping]] = ..., input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., options: _Optional[_Union[_common_pb2.StartOptions, _Mapping]] = ..., cron: _Optional[str] = ..., every_ms: _Optional[int] = ..., timezone: _Optional[str] = ..., overlap: _Optional[_Union[Overlap, str]] = ..., jitter_ms: _Optional[int] = ..., backfill: _Optional[_Union[Backfill, str]] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("namespace", "id", "spec", "created_ms", "next_ms", "paused", "reason", "queued_ms", "last_ms", "last_id", "started", "skipped", "problem")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    CREATED_MS_FIELD_NUMBER: _ClassVar[int]
    NEXT_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    QUEUED_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    id: str
    spec: ScheduleSpec
    created_ms: int
    next_ms: int
    paused: bool
    reason: str
    queued_ms: _containers.RepeatedScalarFieldContainer[int]
    last_ms: int
    last_id: str
    started: int
    skipped: int
    problem: str
    def __init__(self, namespace: _Optional[str] = ..., id: _Optional[str] = ..., spec: _Optional[_Union[ScheduleSpec, _Mapping]] = ..., created_ms: _Optional[int] = ..., next_ms: _Optional[int] = ..., paused: bool = ..., reason: _Optional[str] = ..., queued_ms: _Optional[_Iterable[int]] = ..., last_ms: _Optional[int] = ..., last_id: _Optional[str] = ..., started: _Optional[int] = ..., skipped: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class ScheduleRequest(_message.Message):
    __slots__ = ("namespace", "request_id", "operation", "id", "spec", "replace", "reason")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    request_id: str
    operation: ScheduleOperation
    id: str
    spec: ScheduleSpec
    replace: bool
    reason: str
    def __init__(self, namespace: _Optional[str] = ..., request_id: _Optional[str] = ..., operation: _Optional[_Union[ScheduleOperation, str]] = ..., id: _Optional[str] = ..., spec: _Optional[_Union[ScheduleSpec, _Mapping]] = ..., replace: bool = ..., reason: _Optional[str] = ...) -> None: ...

class ScheduleReply(_message.Message):
    __slots__ = ("schedules", "effect", "next_cursor")
    SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    schedules: _containers.RepeatedCompositeFieldContainer[Schedule]
    effect: bool
    next_cursor: str
    def __init__(self, schedules: _Optional[_Iterable[_Union[Schedule, _Mapping]]] = ..., effect: bool = ..., next_cursor: _Optional[str] = ...) -> None: ...

class TaskRequest(_message.Message):
    __slots__ = ("namespace", "request_id", "operation", "ids", "status", "token", "worker", "message", "percent", "result", "failure", "input", "priority", "definition", "at_ms", "lease_ms", "dependency")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    request_id: str
    operation: TaskOperation
    ids: _containers.RepeatedScalarFieldContainer[str]
    status: _common_pb2.TaskStatus
    token: int
    worker: _common_pb2.WorkerRef
    message: str
    percent: float
    result: _common_pb2.Payload
    failure: _common_pb2.Failure
    input: _common_pb2.Payload
    priority: int
    definition: _common_pb2.Payload
    at_ms: int
    lease_ms: int
    dependency: _common_pb2.Dependency
    def __init__(self, namespace: _Optional[str] = ..., request_id: _Optional[str] = ..., operation: _Optional[_Union[TaskOperation, str]] = ..., ids: _Optional[_Iterable[str]] = ..., status: _Optional[_Union[_common_pb2.TaskStatus, str]] = ..., token: _Optional[int] = ..., worker: _Optional[_Union[_common_pb2.WorkerRef, _Mapping]] = ..., message: _Optional[str] = ..., percent: _Optional[float] = ..., result: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_common_pb2.Failure, _Mapping]] = ..., input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., priority: _Optional[int] = ..., definition: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., at_ms: _Optional[int] = ..., lease_ms: _Optional[int] = ..., dependency: _Optional[_Union[_common_pb2.Dependency, _Mapping]] = ...) -> None: ...

class TaskResult(_message.Message):
    __slots__ = ("id", "before", "after", "error_code", "error_message")
    ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    before: _common_pb2.TaskStatus
    after: _common_pb2.TaskStatus
    error_code: str
    error_message: str
    def __init__(self, id: _Optional[str] = ..., before: _Optional[_Union[_common_pb2.TaskStatus, str]] = ..., after: _Optional[_Union[_common_pb2.TaskStatus, str]] = ..., error_code: _Optional[str] = ..., error_message: _Optional[str] = ...) -> None: ...

class TaskReply(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[TaskResult]
    def __init__(self, results: _Optional[_Iterable[_Union[TaskResult, _Mapping]]] = ...) -> None: ...

class ClaimRequest(_message.Message):
    __slots__ = ("namespace", "request_id", "worker", "queues", "lease_ms", "begin", "wait_ms", "id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    request_id: str
    worker: _common_pb2.WorkerRef
    queues: _containers.RepeatedScalarFieldContainer[str]
    lease_ms: int
    begin: bool
    wait_ms: int
    id: str
    def __init__(self, namespace: _Optional[str] = ..., request_id: _Optional[str] = ..., worker: _Optional[_Union[_common_pb2.WorkerRef, _Mapping]] = ..., queues: _Optional[_Iterable[str]] = ..., lease_ms: _Optional[int] = ..., begin: bool = ..., wait_ms: _Optional[int] = ..., id: _Optional[str] = ...) -> None: ...

class ClaimReply(_message.Message):
    __slots__ = ("id", "token", "target", "input", "definition", "priority", "starts", "created_ms", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_MS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    token: int
    target: _common_pb2.Target
    input: _common_pb2.Payload
    definition: _common_pb2.Payload
    priority: int
    starts: int
    created_ms: int
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., token: _Optional[int] = ..., target: _Optional[_Union[_common_pb2.Target, _Mapping]] = ..., input: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., definition: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., priority: _Optional[int] = ..., starts: _Optional[int] = ..., created_ms: _Optional[int] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ClientFrame(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[ClientRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[ClientRequest, _Mapping]]] = ...) -> None: ...

class ClientRequest(_message.Message):
    __slots__ = ("number", "start", "wait", "describe", "list", "control", "read_state", "abandon", "read_object_state", "send_event", "settle_promise", "schedule", "update_tasks", "claim_task")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    READ_STATE_FIELD_NUMBER: _ClassVar[int]
    ABANDON_FIELD_NUMBER: _ClassVar[int]
    READ_OBJECT_STATE_FIELD_NUMBER: _ClassVar[int]
    SEND_EVENT_FIELD_NUMBER: _ClassVar[int]
    SETTLE_PROMISE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TASKS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TASK_FIELD_NUMBER: _ClassVar[int]
    number: int
    start: StartRequest
    wait: WaitRequest
    describe: DescribeRequest
    list: ListRequest
    control: ControlRequest
    read_state: ReadStateRequest
    abandon: Abandon
    read_object_state: ReadObjectStateRequest
    send_event: SendEventRequest
    settle_promise: SettlePromiseRequest
    schedule: ScheduleRequest
    update_tasks: TaskRequest
    claim_task: ClaimRequest
    def __init__(self, number: _Optional[int] = ..., start: _Optional[_Union[StartRequest, _Mapping]] = ..., wait: _Optional[_Union[WaitRequest, _Mapping]] = ..., describe: _Optional[_Union[DescribeRequest, _Mapping]] = ..., list: _Optional[_Union[ListRequest, _Mapping]] = ..., control: _Optional[_Union[ControlRequest, _Mapping]] = ..., read_state: _Optional[_Union[ReadStateRequest, _Mapping]] = ..., abandon: _Optional[_Union[Abandon, _Mapping]] = ..., read_object_state: _Optional[_Union[ReadObjectStateRequest, _Mapping]] = ..., send_event: _Optional[_Union[SendEventRequest, _Mapping]] = ..., settle_promise: _Optional[_Union[SettlePromiseRequest, _Mapping]] = ..., schedule: _Optional[_Union[ScheduleRequest, _Mapping]] = ..., update_tasks: _Optional[_Union[TaskRequest, _Mapping]] = ..., claim_task: _Optional[_Union[ClaimRequest, _Mapping]] = ...) -> None: ...

class Abandon(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClientReplyFrame(_message.Message):
    __slots__ = ("replies",)
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    replies: _containers.RepeatedCompositeFieldContainer[ClientReply]
    def __init__(self, replies: _Optional[_Iterable[_Union[ClientReply, _Mapping]]] = ...) -> None: ...

class ClientReply(_message.Message):
    __slots__ = ("number", "start", "outcome", "description", "list", "control", "read_state", "read_object_state", "send_event", "settle_promise", "error", "schedule", "update_tasks", "claim_task")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    READ_STATE_FIELD_NUMBER: _ClassVar[int]
    READ_OBJECT_STATE_FIELD_NUMBER: _ClassVar[int]
    SEND_EVENT_FIELD_NUMBER: _ClassVar[int]
    SETTLE_PROMISE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TASKS_FIELD_NUMBER: _ClassVar[int]
    CLAIM_TASK_FIELD_NUMBER: _ClassVar[int]
    number: int
    start: StartReply
    outcome: Outcome
    description: Description
    list: ListReply
    control: ControlReply
    read_state: ReadStateReply
    read_object_state: ReadObjectStateReply
    send_event: SendEventReply
    settle_promise: SettlePromiseReply
    error: _common_pb2.ErrorDetail
    schedule: ScheduleReply
    update_tasks: TaskReply
    claim_task: ClaimReply
    def __init__(self, number: _Optional[int] = ..., start: _Optional[_Union[StartReply, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., description: _Optional[_Union[Description, _Mapping]] = ..., list: _Optional[_Union[ListReply, _Mapping]] = ..., control: _Optional[_Union[ControlReply, _Mapping]] = ..., read_state: _Optional[_Union[ReadStateReply, _Mapping]] = ..., read_object_state: _Optional[_Union[ReadObjectStateReply, _Mapping]] = ..., send_event: _Optional[_Union[SendEventReply, _Mapping]] = ..., settle_promise: _Optional[_Union[SettlePromiseReply, _Mapping]] = ..., error: _Optional[_Union[_common_pb2.ErrorDetail, _Mapping]] = ..., schedule: _Optional[_Union[ScheduleReply, _Mapping]] = ..., update_tasks: _Optional[_Union[TaskReply, _Mapping]] = ..., claim_task: _Optional[_Union[ClaimReply, _Mapping]] = ...) -> None: ...
