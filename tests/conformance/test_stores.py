"""Every store of ours passes the one suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure_coordinator.store import open_store
from perdure_runtime.memory import MemoryDisk, MemoryStore
from perdure_runtime.storage import Store
from perdure_runtime.testing.store_conformance import Opening, StoreConformance


class TestMemoryStore(StoreConformance):
    """The reference model."""

    @pytest.fixture
    def opening(self) -> Opening:
        disk = MemoryDisk()

        async def open_it() -> Store:
            return MemoryStore(disk)

        return open_it


class TestSqliteStore(StoreConformance):
    """SQLite in a file."""

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Opening:
        return lambda: open_store(tmp_path / "conformance.db")


class TestSqliteByUrl(StoreConformance):
    """SQLite by URL, in a path with every character that a URI treats specially."""

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        directory = tmp_path / "a b?c#d%20é"
        directory.mkdir()
        yield lambda: open_store(f"sqlite:///{directory}/data?mode=memory.db")
        assert (directory / "data?mode=memory.db").exists()
