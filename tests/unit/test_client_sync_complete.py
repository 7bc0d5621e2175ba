"""Every public member of the asynchronous client has its blocking twin, with its parameters."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import sync
from perdure.client.client import Client
from perdure.client.handle import ExecutionHandle

NOT_FOR_USERS = {"serializers", "start_definition", "transport"}


def public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")} - NOT_FOR_USERS


@pytest.mark.parametrize(
    ("original", "twin"), [(Client, sync.SyncClient), (ExecutionHandle, sync.SyncHandle)]
)
def test_a_twin_has_every_member(original: type, twin: type) -> None:
    assert public(original) <= public(twin)


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    given = inspect.signature(function).parameters.values()
    return [(each.name, each.default) for each in given if each.name != "self"]


@pytest.mark.parametrize(
    ("original", "twin"),
    [
        (perdure.connect, sync.connect),
        (perdure.embedded, sync.embedded),
        *((vars(Client)[n], vars(sync.SyncClient)[n]) for n in sorted(public(Client) - {"start"})),
        *(
            (vars(ExecutionHandle)[name], vars(sync.SyncHandle)[name])
            for name in sorted(public(ExecutionHandle))
        ),
    ],
    ids=lambda value: value.__name__,
)
def test_a_twin_takes_the_same_parameters(
    original: Callable[..., Any], twin: Callable[..., Any]
) -> None:
    assert parameters(original) == parameters(twin)
