"""The users' blocks as cases: how to start each, what must come out, what must have run.

Used by the kill tests, embedded and over processes alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from perdure import Client, HistoryEntry
from perdure.client.handle import ExecutionHandle
from tests.integration.apps.witness import Seen


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block.

    Args:
        input: "{id}" in it stands for the id of the execution; in the result too.
        bodies: names of the step and handler bodies that one undisturbed run has.
        at_once: how many of them may be in flight at a time.
        state: what `ctx.state` holds at the end.
        steps: how many of the bodies are steps, if that is not told by their names.
        rounds: whether the bodies run in rounds of `at_once`, each after the one before.
        inner_steps: whether the bodies are steps of one child, not children of their own.
        children: how many there are, if the bodies do not tell.
        in_order: whether bodies run one after the other, but for the first `at_once`.
        stride: one of so many hits of a fail point kills, because there are many.
    """

    name: str
    service: str
    method: str
    input: Any
    result: Any
    bodies: tuple[str, ...]
    at_once: int
    state: dict[str, Any]
    inner_steps: bool = False
    steps: int = 0
    rounds: bool = False
    children: int | None = None
    in_order: bool = True
    stride: int = 1

    def place(self, body: str) -> int:
        """Where a body stands: each needs the results of all those before its place."""
        if not self.in_order:
            return int(body == self.bodies[-1])
        if self.rounds:
            return self.bodies.index(body) // self.at_once
        return 0 if self.bodies.index(body) < self.at_once else self.bodies.index(body)

    async def start(self, client: Client, id: str) -> ExecutionHandle[Any]:
        """Start it, or attach to the one of an earlier process."""
        return await client.start(self.service, self.method, _named(self.input, id), id=id)


def _named(value: Any, id: str) -> Any:
    return json.loads(json.dumps(value).replace("{id}", id))


_SOURCES: Final = ("source1", "source2", "source3")
_ITEMS: Final = [
    {"id": "x", "price": 1},
    {"id": "y", "price": 2, "broken": True},
    {"id": "z", "price": 3},
]

BLOCKS: Final = (
    Block(
        "process_data",
        "advanced-service",
        "data_processor",
        {"items": [1, 2, 3]},
        {
            "processed": [{"item": n, "square": n * n} for n in (10, 20, 30)],
            "count": 3,
        },
        ("transform", "enrich"),
        1,
        {"processing_started": True, "processed_count": 3},
    ),
    Block(
        "data_pipeline",
        "advanced-service",
        "data_pipeline",
        list(_SOURCES),
        {"report": {"rows": 21, "sources": 3, "processed": 3}, "summary": 3},
        (
            *(f"fetch_data_source {source}" for source in _SOURCES),
            *(f"process {source}" for source in _SOURCES),
            "generate",
        ),
        3,
        {"pipeline_started": True, "raw_data_count": 3, "processed_items": 3},
    ),
    Block(
        "advanced_service_integration",
        "primitives",
        "advanced_service_integration",
        {"value": 7},
        {"merged": ["a", "fallback"]},
        ("method1", "method2 of service_b", "method2 of fallback_service", "merge"),
        1,
        {"service_b_error": "service b is down"},
    ),
    Block(
        "stateful_processing",
        "primitives",
        "stateful_processing",
        _ITEMS,
        {
            "processed_items": [{"id": "x", "price": 2}, {"id": "z", "price": 6}],
            "total_processed": 3,
            "errors": [{"item_id": "y", "error": "item y is broken"}],
            "success_rate": 1.0,
        },
        ("process_item x", "process_item y", "process_item z"),
        1,
        {
            "batch_size": 3,
            "processed_count": 3,
            "errors": [{"item_id": "y", "error": "item y is broken"}],
            "last_processed_item": "z",
        },
    ),
    Block(
        "saga_transaction",
        "primitives",
        "saga_transaction",
        {"items": [{"id": "tea"}], "payment": {"amount": 12}, "order": {"fails": "order"}},
        {"success": False, "error": "order refused"},
        ("reserve", "charge", "create", "refund t-12", "release r-tea"),
        1,
        {"saga_status": "failed"},
    ),
    Block(
        "parallel_data_processing",
        "primitives",
        "parallel_data_processing",
        ["one", "three"],
        {"report": "0: one has 3 rows; 1: three has 5 rows", "rows": 2},
        (
            *("fetch one", "fetch three", "dataset one", "dataset three"),
            *("analyze one", "analyze three", "combine"),
        ),
        2,
        {},
        steps=6,
        rounds=True,
    ),
)


SHARED_CHILD: Final = Block(
    "shared_child", "shared", "twice", 41, [42, 42, 42], ("charge",), 1, {}, inner_steps=True
)


CORRESPONDENCE: Final = Block(
    "correspondence",
    "correspondence",
    "asks",
    41,
    [42, True, True, "once"],
    ("write", "confirm"),
    1,
    {},
    inner_steps=True,
)


_ITEM: Final = {"id": "tea", "price": 12.5, "quantity": 3}
_MANY: Final = 104

ORDERS: Final = Block(
    "order_management",
    "patterns",
    "order_management_workflow",
    {"order_id": "order of {id}", "items": [_ITEM, _ITEM]},
    {
        "order_processed": True,
        "shipping_scheduled": True,
        "tracking_number": "track-order of {id}-f-2",
    },
    ("check_availability", "charge", "schedule"),
    1,
    {},
    children=4,  # the methods; the bodies are what one of them calls
    stride=4,
)

PERFORMANCE: Final = Block(
    "high_performance",
    "patterns",
    "high_performance_pipeline",
    list(range(_MANY)),
    {"sums": [2 * sum(range(100)), 2 * sum(range(100, _MANY))], "items": _MANY},
    (*(f"fast {n}" for n in range(_MANY)), "combine"),
    2,  # batches of 100 side by side, each one item after the other
    {},
    in_order=False,
    stride=100,
)

PATTERNS: Final = (ORDERS, PERFORMANCE)


COMPLETIONS: Final = {
    "step_completed",
    "call_completed",
    "timer_fired",
    "branch_completed",
    "command_reused",
    "event_received",
    "promise_settled",
}
ISSUES: Final = {"call_issued", "timer_started", "event_awaited", "promise_created"}


def check_gapless(entries: Sequence[HistoryEntry]) -> None:
    """Every index once, and time never goes back."""
    assert list(range(len(entries))) == [entry.index for entry in entries]
    times = [entry.time for entry in entries]
    assert sorted(times) == times


def check_journal(entries: Sequence[HistoryEntry]) -> None:
    """Gapless, one outcome at the end, each command and each completion once."""
    check_gapless(entries)
    kinds = [entry.kind for entry in entries]
    assert ["execution_created"] == [kind for kind in kinds if kind == kinds[0]]
    assert ["execution_ended"] == [kind for kind in kinds if kind == kinds[-1]]
    attempt = 0
    once: Counter[tuple[int, str, bool]] = Counter()
    for entry in entries:
        attempt += entry.kind == "attempt_started"
        if entry.kind in COMPLETIONS | ISSUES:
            once[attempt, entry.path, entry.kind in COMPLETIONS] += 1
    doubled = {what: count for what, count in once.items() if count > 1}
    assert not doubled, f"recorded more than once: {doubled}"
    open_paths = {(a, p) for a, p, completed in once if not completed} - {
        (a, p) for a, p, completed in once if completed
    }
    assert not open_paths, f"never completed: {open_paths}"


def check_bodies(block: Block, lines: Sequence[Seen], kills: int, least: int, most: int) -> int:
    """Every body ran, again only where a kill hit it, under one key; returns how many ran again.

    Args:
        least: so many bodies must have run again at each kill.
        most: no more than so many may have.
    """
    runs = Counter(line.name for line in lines)
    assert set(block.bodies) == set(runs)
    assert max(runs.values()) <= 1 + kills, runs
    places = [block.place(line.name) for line in lines]
    assert sorted(places) == places, "a result was lost after something had depended on it"
    again = sum(runs.values()) - len(runs)
    assert least * kills <= again <= most * kills, runs
    keys = {(line.name, line.key) for line in lines}
    assert len(runs) == len(keys), "a body that ran again had another key"
    assert len(runs) == len({key for _, key in keys}), "two operations share a key"
    return again


async def check_execution(block: Block, client: Client, handle: ExecutionHandle[Any]) -> None:
    """Result, state and all journals, those of the children included, are what they must be."""
    assert _named(block.result, handle.id) == await handle.result()
    assert block.state == await handle.read_state()
    check_journal([entry async for entry in handle.history()])
    children = 0
    async for child in client.list(parent_id=handle.id):
        children += 1
        check_journal([entry async for entry in client.get(child.id).history()])
    if block.children is not None:
        assert block.children == children
        return
    steps = block.steps or sum(body.startswith("fetch_data_source") for body in block.bodies)
    assert children == (1 if block.inner_steps else len(block.bodies) - steps)
