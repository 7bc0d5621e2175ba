"""The image example, killed on its way: it goes on with the image that comes next."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

import pytest

from examples.image_batch import portable_pixmap
from examples.image_batch.batch import SAMPLES
from tests.integration.workers import ROOT

pytestmark = pytest.mark.processes


async def run(directory: Path, kill_after: str = "") -> list[str]:
    """What the program prints; killed when it has printed the line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.image_batch.batch", str(directory)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(60):
        async for line in process.stdout:
            lines.append(line.decode().strip())
            if lines[-1] == kill_after:
                process.kill()
        code = await process.wait()
    assert (code == 0) is not bool(kill_after)
    return lines


async def test_every_image_is_shrunk_once_although_the_program_is_killed(tmp_path: Path) -> None:
    before = await run(tmp_path, kill_after="shrunk 04.ppm")
    after = await run(tmp_path)
    shrunk = [[line for line in lines if line.startswith("shrunk")] for lines in (before, after)]
    assert [f"shrunk {number:02}.ppm" for number in range(5)] == shrunk[0][:5]
    again = SAMPLES - len(shrunk[1])
    assert again in (4, 5, 6), "at most the image that was under way is done again"
    assert [f"shrunk {number:02}.ppm" for number in range(again, SAMPLES)] == shrunk[1]
    digests = dict(line.split() for line in after[-SAMPLES:])
    for number in range(SAMPLES):
        small = portable_pixmap.read(tmp_path / "small" / f"{number:02}.ppm")
        assert (48, 48) == (small.width, small.height)
        assert digests[f"{number:02}.ppm"] == hashlib.sha256(small.pixels).hexdigest()
