"""The table of promises names tests that exist, and leaves no promise out."""

from __future__ import annotations

from pathlib import Path

from tests.proof.promises import METHODS, PROMISES

TESTS = Path(__file__).parents[1]


def test_every_promise_has_a_method_and_every_method_has_tests() -> None:
    shown = {promise for method in METHODS for promise in method.promises}
    assert shown == PROMISES.keys()
    places = [path for method in METHODS for path in method.paths]
    assert [] == [path for path in places if not (TESTS / path).exists()]
    assert len(places) == len(set(places))
