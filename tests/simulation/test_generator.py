"""Random programs: the same for a seed, printable, sendable, shrinkable; and the model of them."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from perdure.testing.simulator.generator import MOST_NODES, random_program
from perdure.testing.simulator.model import predict
from perdure.testing.simulator.nodes import LEAVES, ONE, SEVERAL, Node, received, smaller_nodes

PROGRAMS = [random_program(seed) for seed in range(300)]


def test_a_seed_always_gives_the_same_program() -> None:
    assert [random_program(seed) for seed in range(300)] == PROGRAMS
    assert len({str(program) for program in PROGRAMS}) > 290


def test_programs_survive_the_wire() -> None:
    for program in PROGRAMS:
        assert program.root == received(json.loads(json.dumps(program.root.sent())))


def test_every_kind_of_node_is_drawn() -> None:
    kinds = Counter(node.kind for program in PROGRAMS for node in program.root.walk())
    assert {*LEAVES, *SEVERAL, *ONE} == set(kinds)


def test_labels_are_unique_in_a_program() -> None:
    for program in PROGRAMS:
        labels = [node.label for node in program.root.walk()]
        assert len(labels) == len(set(labels))


def test_smaller_programs_are_smaller_and_end() -> None:
    for program in PROGRAMS[:50]:
        for smaller in program.smaller():
            assert _weight(smaller.root) < _weight(program.root) or smaller.cancel_s is None
        assert program.root.size <= 2 * MOST_NODES


def test_shrinking_reaches_the_smallest_tree_with_a_property() -> None:
    node = next(p.root for p in PROGRAMS if p.root.size > 8 and "failing" in str(p.root))
    while True:
        simpler = next((each for each in smaller_nodes(node) if "failing" in str(each)), None)
        if simpler is None:
            break
        node = simpler
    assert node.kind == "failing"


STEP, BAD = Node("step", "good"), Node("failing", "bad")


@pytest.mark.parametrize(
    ("node", "outcomes", "certain"),
    [
        (Node("sequence", "s", children=(STEP, BAD)), {(False, "bad failed")}, {"good", "bad"}),
        (Node("sequence", "s", children=(BAD, STEP)), {(False, "bad failed")}, {"bad"}),
        (Node("gather", "g", children=(STEP, BAD)), {(False, "bad failed")}, set()),
        (
            Node("race", "r", children=(STEP, BAD)),
            {(True, '[0, "good"]'), (False, "bad failed")},
            set(),
        ),
        (Node("timeout", "t", 1, "", (STEP,)), {(True, '"good"'), (True, '"timeout"')}, set()),
        (Node("attempts", "a", 2, "", (STEP,)), {(True, '[3, "good"]')}, {"good"}),
        (Node("turns", "t", 2, "", (STEP,)), {(True, '"good.2"')}, {"good.1", "good.2"}),
        (
            Node("saga", "s", 0, "fails", (STEP,)),
            {(False, "s failed")},
            {"good", "undo good"},
        ),
        (
            Node("saga", "s", children=(STEP, BAD)),
            {(False, "bad failed")},
            {"good", "bad", "undo good"},
        ),
    ],
)
def test_the_model_tells_outcomes_and_effects(
    node: Node, outcomes: set[tuple[bool, str]], certain: set[str]
) -> None:
    told = predict(node)
    assert frozenset(outcomes) == told.outcomes
    assert certain == told.certain


def test_most_predictions_are_few() -> None:
    predictions = [program.predict() for program in PROGRAMS]
    sizes = [len(each.outcomes) for each in predictions if each.outcomes is not None]
    assert len(sizes) > 290
    assert sum(size == 1 for size in sizes) > 100
    assert sum(bool(each.certain) for each in predictions) > 80


def _weight(node: Node) -> int:
    return sum(1 + each.number for each in node.walk())
