"""For each promise an engine that breaks it is caught, in a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.proof.counting import tried
from tests.proof.promises import PROMISES
from tests.simulation.mutations import MUTATIONS, Mutation

_ROOT: Final = Path(__file__).parents[2]
_SOURCES: Final = ("proto", "runtime", "sdk", "coordinator")
_FAILED: Final = 1  # pytest's exit code: tests ran, and some failed


def test_every_promise_has_a_mutation() -> None:
    assert [mutation.promise for mutation in MUTATIONS] == list(PROMISES)
    for mutation in MUTATIONS:
        assert 1 == (_ROOT / mutation.file).read_text().count(mutation.old), mutation
        assert mutation.new not in (mutation.old, "")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sources and the tests, elsewhere."""
    copy = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("__pycache__")
    for name in (*_SOURCES, "tests"):
        shutil.copytree(_ROOT / name, copy / name, ignore=leave)
    shutil.copy(_ROOT / "pyproject.toml", copy)
    yield copy
    shutil.rmtree(copy)


def _run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(copy / name) for name in (*_SOURCES, "."))
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.promise)
def test_a_broken_promise_is_caught(copy: Path, mutation: Mutation) -> None:
    changed = copy / mutation.file
    module = ".".join(Path(mutation.file).with_suffix("").parts[1:])
    find = "from importlib.util import find_spec; print(find_spec('{}').origin)"
    where = _run(copy, "-c", find.format(module))
    assert str(changed) == where.stdout.strip(), where.stderr

    sound = changed.read_text()
    changed.write_text(sound.replace(mutation.old, mutation.new))
    try:
        ran = _run(
            copy, "-m", "pytest", "-x", "-q", "--timeout=10", "--tb=line", mutation.caught_by
        )
    finally:
        changed.write_text(sound)
    assert _FAILED == ran.returncode, f"not caught: {mutation.breaks}\n{ran.stdout}{ran.stderr}"
    assert "FAILED tests/" in ran.stdout, ran.stdout
    tried(faults=1)
