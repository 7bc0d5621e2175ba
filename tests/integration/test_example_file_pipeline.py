"""The file pipeline: killed half-way and run again; two of them on one file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.workers import ROOT

FILES = 12
BODIES = {"upload": FILES, "title": FILES, "summary": FILES, "store": FILES}
IN_FLIGHT = 8  # of each process

pytestmark = pytest.mark.processes


def make_files(folder: Path) -> Path:
    files = folder / "files"
    files.mkdir()
    for number in range(FILES):
        (files / f"file-{number}.txt").write_text(f"# Title {number}\n\n{'word ' * number}end\n")
    return files


async def pipeline(folder: Path, **environment: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "examples.file_pipeline.pipeline", str(folder / "files"), str(folder / "target")),
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env={**os.environ, "FILE_PIPELINE_LEDGER": str(folder / "ledger"), **environment},
    )


async def ended(process: Process) -> list[str]:
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert 0 == process.returncode, errors.decode()
    return output.decode().splitlines()


def check_all(folder: Path, lines: list[str]) -> int:
    """Every file is there; returns how many bodies ran again."""
    assert FILES == len(lines)
    for number in range(FILES):
        assert any(line.endswith(f": completed: Title {number}") for line in lines)
        copy = folder / "target" / f"file-{number}.txt"
        source = folder / "files" / copy.name
        assert source.read_bytes() == copy.read_bytes()
        found = json.loads(copy.with_suffix(".json").read_text())
        assert found == {
            "path": str(source),
            "size_bytes": source.stat().st_size,
            "title": f"Title {number}",
            "summary": f"{number + 4} words: {' '.join(source.read_text().split()[:8])} ...",
        }
    runs = [tuple(line.split()[:2]) for line in (folder / "ledger").read_text().splitlines()]
    assert BODIES == Counter(task for task, _ in set(runs))
    return len(runs) - len(set(runs))


async def test_killed_half_way_and_run_again(tmp_path: Path) -> None:
    make_files(tmp_path)
    killed = await pipeline(tmp_path, PERDURE_FAILPOINT="after-step-body:25")
    assert -signal.SIGKILL == await killed.wait()
    assert len(list((tmp_path / "target").glob("*.json"))) < FILES
    again = check_all(tmp_path, await ended(await pipeline(tmp_path)))
    assert again <= IN_FLIGHT
    lines = await ended(await pipeline(tmp_path))  # nothing is left to be done
    assert again == check_all(tmp_path, lines)


async def test_two_share_the_files_and_one_is_killed(tmp_path: Path) -> None:
    make_files(tmp_path)
    killed, survivor = await asyncio.gather(
        pipeline(tmp_path, PERDURE_FAILPOINT="after-step-body:5"), pipeline(tmp_path)
    )
    lines = await ended(survivor)
    assert check_all(tmp_path, lines) <= IN_FLIGHT
    await killed.wait()
    assert killed.returncode in (0, -signal.SIGKILL)  # or it came too late for five of them
