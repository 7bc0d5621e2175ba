"""The metrics by name: what each means. Prometheus adds `perdure_`, OpenTelemetry `perdure.`."""

from __future__ import annotations

from typing import Final, NamedTuple


class Metric(NamedTuple):
    """One metric: where its value comes from, its unit, and what it says."""

    source: str
    unit: str
    text: str


COUNTERS: Final = (
    Metric("commits", "", "Transactions written to the store"),
    Metric("entries", "", "Journal entries written"),
    Metric("requests", "", "Starts asked for"),
    Metric("activations", "", "Executions handed to workers"),
    Metric("replays", "", "Activations that continue an attempt from its journal"),
    Metric("replayed_entries", "", "Journal entries sent with replays"),
    Metric("adoptions", "", "Executions that reconnected workers kept"),
    Metric("stale_messages", "", "Messages rejected for an old epoch"),
    Metric("stale_commands", "", "Commands in rejected messages"),
    Metric("mismatches", "", "Replays that differed from their journal"),
    Metric("sessions_opened", "", "Worker sessions begun"),
    Metric("sessions_lost", "", "Worker sessions that ended while holding executions"),
    Metric("reconnects", "", "Worker sessions that continue an earlier one"),
    Metric("timers_fired", "", "Durable timers fired"),
    Metric("events", "", "Events accepted"),
    Metric("deleted", "", "Finished executions deleted"),
    Metric("quarantined", "", "Executions found damaged"),
    Metric("overloads", "", "Starts refused because too much waited for the disk"),
    Metric("reloads", "", "Times the engine began anew after the store had been full"),
)
HISTOGRAMS: Final = (
    Metric("commit_entries", "", "Journal entries in one commit"),
    Metric("commit_seconds", "s", "Duration of one commit, its sync included"),
    Metric("schedule_to_start_seconds", "s", "Wait of an attempt for a worker"),
    Metric("timer_lateness_seconds", "s", "Time from a timer's due time until it fired"),
)
GAUGES: Final = (
    Metric("peak_pending_bytes", "By", "Most bytes that ever waited for the disk"),
    Metric("pending_bytes", "By", "Bytes that wait for the disk"),
    Metric("resident_executions", "", "Executions in memory"),
    Metric("queued_executions", "", "Executions that wait for a worker"),
    Metric("sessions", "", "Connected workers"),
    Metric("slots", "", "Slots of the connected workers"),
    Metric("slots_used", "", "Slots with a slice or step in progress"),
)
EXECUTIONS: Final = Metric("executions", "", "Executions that got this status, by name")
EXECUTION_LABELS: Final = ("service", "method", "status")
