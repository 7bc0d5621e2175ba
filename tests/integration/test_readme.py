"""Every block of the README is extracted and run; the second run of `order.py` charges nothing."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language, in order."""
    return [text for kind, text in BLOCK.findall(README.read_text()) if kind == language]


def entries(database: Path) -> int:
    """How many journal entries are on disk."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        count: int = connection.execute("select count(*) from journal").fetchone()[0]
        return count
    except sqlite3.OperationalError:
        return 0  # the table is still being made
    finally:
        connection.close()


def test_order_is_killed_resumes_and_charges_once(tmp_path: Path) -> None:
    (tmp_path / "order.py").write_text(blocks("python")[0])
    command = [sys.executable, "order.py"]
    first = subprocess.Popen(command, cwd=tmp_path)
    until = time.monotonic() + 60
    while entries(tmp_path / "perdure.db") < 4:  # created, started, charged, asleep
        assert first.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.01)
    first.kill()
    first.wait()
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert second.stdout == "receipt-A-17, shipped\n", second.stderr
    assert len((tmp_path / "charges.txt").read_text().splitlines()) == 1
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("number", range(1, len(blocks("python"))))
def test_the_other_python_blocks_define_what_they_say(number: int) -> None:
    namespace: dict[str, object] = {"__name__": "readme"}
    exec(compile(blocks("python")[number], "README.md", "exec"), namespace)  # noqa: S102 - ours


def test_every_command_in_the_readme_exists() -> None:
    commands = set(re.findall(r"^perdure (\w+)|`perdure (\w+)", README.read_text(), re.MULTILINE))
    names = {first or second for first, second in commands}
    shown = subprocess.run(
        [sys.executable, "-m", "perdure", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert {name for name in names if not re.search(rf"^  {name} ", shown, re.MULTILINE)} == set()
