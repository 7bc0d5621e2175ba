"""Saved attributes meet another version of their class (semantics, section 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import DurableObject, ExecutionFailed, durable
from perdure.objects.base import SavedState
from perdure.registry import isolated_registry
from perdure.service import Service

with isolated_registry():  # one name for all of them is what no process could serve

    @durable.object(name="Profile", service="profiles")
    class First(DurableObject):
        def __init__(self, id: str) -> None:
            super().__init__(id)
            self.full_name = ""

        async def rename(self, name: str) -> None:
            self.full_name = name

    @durable.object(name="Profile", service="profiles")
    class WithMore(DurableObject):
        def __init__(self, id: str) -> None:
            super().__init__(id)
            self.full_name = ""
            self.likes = ["tea"]

        async def read(self) -> list[Any]:
            return [self.full_name, self.likes]

    @durable.object(name="Profile", service="profiles")
    class Second(DurableObject):
        __state_version__ = 2

        def __init__(self, id: str) -> None:
            super().__init__(id)
            self.names: list[str] = []

        def migrate(self, old: SavedState) -> None:
            assert 1 == old.version
            self.names = old["full_name"].split()

        @durable.shared
        async def read(self) -> list[str]:
            return self.names

        async def add(self, name: str) -> list[str]:
            self.names.append(name)
            return self.names

    @durable.object(name="Profile", service="profiles")
    class Third(DurableObject):
        __state_version__ = 3

        async def read(self) -> None: ...


def serving(directory: Path, cls: type) -> Any:
    service = Service("profiles", "1.0.0")
    service.add_object(cls)
    return perdure.embedded(directory / "perdure.db", services=[service])


async def test_new_attributes_keep_their_defaults(tmp_path: Path) -> None:
    async with serving(tmp_path, First) as runtime:
        await runtime.client.object(First, "x").rename("Ada Lovelace")
    async with serving(tmp_path, WithMore) as runtime:
        assert ["Ada Lovelace", ["tea"]] == await runtime.client.object(WithMore, "x").read()


async def test_migrate_takes_an_old_state_over(tmp_path: Path) -> None:
    async with serving(tmp_path, First) as runtime:
        await runtime.client.object(First, "x").rename("Ada Lovelace")
    async with serving(tmp_path, Second) as runtime:
        profile = runtime.client.object(Second, "x")
        assert ["Ada", "Lovelace"] == await profile.read()
        assert {"full_name": "Ada Lovelace"} == await profile.get_state()
        assert ["Ada", "Lovelace", "Byron"] == await profile.add("Byron")
        assert {"names": ["Ada", "Lovelace", "Byron"]} == await profile.get_state()


async def test_an_old_state_without_migrate_is_refused_and_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, First) as runtime:
        await runtime.client.object(First, "x").rename("Ada")
    async with serving(tmp_path, Third) as runtime:
        with pytest.raises(ExecutionFailed, match="define migrate"):
            await runtime.client.object(Third, "x").read()
    async with serving(tmp_path, First) as runtime:
        assert {"full_name": "Ada"} == await runtime.client.object(First, "x").get_state()
