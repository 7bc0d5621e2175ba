"""`python -m examples.image_batch.batch DIRECTORY`: make every image of a directory smaller.

The directory gets twelve sample images if it has none. Kill the program at any time and start it
again: it goes on with the image that comes next. The small images are in DIRECTORY/small, their
digests are the result.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path
from typing import Any

import perdure
from examples.image_batch import portable_pixmap
from perdure import actions
from perdure.actions import ActionContext

SAMPLES = 12


def shrink(path: Path) -> str:
    """Write the small image; give its digest."""
    small = portable_pixmap.read(path).halved()
    portable_pixmap.write(path.parent / "small" / path.name, small)
    return hashlib.sha256(small.pixels).hexdigest()


@actions.define("shrink images")
async def shrink_images(paths: list[str], context: ActionContext) -> dict[str, str]:
    """Plain code: it reads and writes files. `each` and `checkpoint` are what is recorded."""
    digests: dict[str, str] = dict(context.checkpoints)
    async for path in context.each(paths):
        digest = await asyncio.to_thread(shrink, Path(path))
        digests[Path(path).name] = digest
        await context.checkpoint(Path(path).name, digest)
        print(f"shrunk {Path(path).name}", flush=True)
    return digests


def prepared(directory: Path) -> list[str]:
    """The images of the directory, sample ones if there are none."""
    (directory / "small").mkdir(parents=True, exist_ok=True)
    if not list(directory.glob("*.ppm")):
        for number in range(SAMPLES):
            portable_pixmap.paint(directory / f"{number:02}.ppm", number)
    return sorted(map(str, directory.glob("*.ppm")))


async def main(directory: Path) -> dict[str, Any]:
    """Start the action, or find it under way; show its progress; give its result."""
    paths = prepared(directory)
    async with perdure.embedded(directory / "perdure.db"):
        action = await actions.start("shrink images", paths, idempotency_key=str(directory))
        async for seen in actions.watch(action.id):
            print(f"{seen.status}: {seen.progress:g}/{len(paths)}", flush=True)
        result: dict[str, Any] = await actions.result(action.id)
        return result


if __name__ == "__main__":
    for name, digest in sorted(asyncio.run(main(Path(sys.argv[1]).resolve())).items()):
        print(name, digest)
