"""Smoke test of an installed wheel: run from outside the checkout, in a bare environment.

It shows that the wheel is whole (packages, type markers, entry point) and that importing the SDK
stays cheap. It does not test behaviour: the test suite does.
"""

import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

PACKAGES = ("perdure", "perdure_coordinator", "perdure_proto", "perdure_runtime")
HEAVY = ("grpc", "perdure_coordinator", "rich", "typer")


def check_import_is_light() -> None:
    import perdure

    assert perdure.__doc__
    loaded = [name for name in HEAVY if name in sys.modules]
    assert not loaded, f"`import perdure` loads {loaded}"


def check_packages_are_whole() -> None:
    installed = Path(sysconfig.get_path("purelib"))
    for name in PACKAGES:
        module = importlib.import_module(name)
        assert module.__file__ is not None
        assert Path(module.__file__).is_relative_to(installed), f"{name} is {module.__file__}"
        assert Path(module.__file__).with_name("py.typed").exists(), f"{name} has no py.typed"


def check_command() -> None:
    if importlib.util.find_spec("perdure.cli") is None or importlib.util.find_spec("typer") is None:
        print("skipped: `perdure --help` (needs perdure.cli and the server extra)")
        return
    command = Path(sysconfig.get_path("scripts")) / "perdure"
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "server" in shown, shown


check_import_is_light()
check_packages_are_whole()
check_command()
print(f"perdure {importlib.metadata.version('perdure')} works on {sys.version.split()[0]}")
