"""The example of the testing kit: its tests pass, in a pytest run of its own."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGIN = "perdure.testing.plugin"


def test_the_tests_of_the_example_pass() -> None:
    installed = any(each.value == PLUGIN for each in entry_points(group="pytest11"))
    load = [] if installed else ["-p", PLUGIN]
    command = [sys.executable, "-m", "pytest", "-q", *load, "examples/tested_shop"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
