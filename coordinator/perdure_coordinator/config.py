"""Settings of one coordinator; times are in milliseconds. Read by the shell, never by the core."""

from __future__ import annotations

from msgspec import Struct


class Config(Struct, frozen=True):
    """How a coordinator behaves. The defaults are the documented ones (semantics, section 8)."""

    owner: str = ""
    lease_ms: int = 10_000
    resume_ms: int = 1_000
    cancel_grace_ms: int = 10_000
    max_crashes: int = 10
    max_resident: int = 50_000
    max_finished: int = 1_000  # of them with an outcome, kept for those who ask right afterwards
    pending_limit_bytes: int = 64 * 1024 * 1024
    max_queued_starts: int = 20_000
    timer_horizon_ms: int = 60_000
    request_memory_ms: int = 24 * 3600 * 1000
    event_ttl_ms: int = 7 * 24 * 3600 * 1000  # how long a mailbox keeps an event
    retention_ms: int = 7 * 24 * 3600 * 1000  # of finished executions; 0: for ever
    sweep_ms: int = 60_000  # between two looks for what retention deletes
    page_entries: int = 1_000
    page_bytes: int = 1024 * 1024
    reload_ms: int = 500  # between two tries to begin anew after the store was full
