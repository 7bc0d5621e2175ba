"""Nothing that is committed knows the machine it was written on."""

import re
import subprocess

import pytest

from tests.architecture.tree import CHECKOUT

# Absolute paths of home and work directories; not a part of a longer path or of an address.
MACHINE_PATH = re.compile(r"(?<![\w.\-/])/(?:root|work|home/\w+|Users/\w+)/")


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in tracked_files()
        for number, line in enumerate(
            (CHECKOUT / name).read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if MACHINE_PATH.search(line)
    ]
    assert [] == found
