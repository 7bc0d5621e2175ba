"""The command line without a coordinator: help, usage errors, targets, exit codes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.cli.arguments import parse_duration, parse_json
from perdure.cli.failures import ExitCode, UsageError, exit_code
from perdure.cli.loading import load_services
from perdure.errors import (
    AlreadyExistsError,
    CoordinatorUnavailableError,
    ExecutionCancelledError,
    ExecutionFailed,
    ExecutionTimedOut,
    InvalidArgumentError,
    NotFoundError,
)
from perdure.registry import isolated_registry

APP = """
from perdure import durable

service = durable.service("orders", "2.0.0")

@service.handler
def charge(payload: dict) -> dict:
    return payload

@durable.flow
async def pipeline(ctx, sources: list) -> int:
    return len(sources)

@durable.step(service="images")
def resize(path: str) -> str:
    return path

nothing = 1
"""


def perdure(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "perdure.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=60,
    )


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "shop_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with isolated_registry():
        yield tmp_path
    sys.modules.pop("shop_app", None)


def offered(target: str, default_service: str = "default") -> dict[str, list[str]]:
    return {
        service.name: list(service.methods) for service in load_services(target, default_service)
    }


@pytest.mark.parametrize("target", ["shop_app", "shop_app.py"])
def test_a_module_offers_its_services_and_what_is_loose(app: Path, target: str) -> None:
    assert {
        "orders": ["charge"],
        "mine": ["pipeline"],
        "images": ["resize"],
    } == offered(target, "mine")


def test_a_name_selects_one_service_or_function(app: Path) -> None:
    assert {"orders": ["charge"]} == offered("shop_app:service")
    assert {"default": ["pipeline"]} == offered("shop_app.py:pipeline")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_app", "there is no module 'no_such_app'"),
        ("no_such_app.py", "there is no file no_such_app.py"),
        ("shop_app:other", "shop_app has no 'other'"),
        ("shop_app:nothing", "is no service and no durable function"),
        ("broken", "cannot import broken: SyntaxError"),
        ("needy", "needs 'no_such_module', which is not installed"),
        ("empty.py", "empty.py defines no service and no durable function"),
    ],
)
def test_a_target_that_cannot_be_served_is_named(app: Path, target: str, message: str) -> None:
    (app / "broken.py").write_text("def")
    (app / "needy.py").write_text("import no_such_module")
    (app / "empty.py").write_text("")
    with pytest.raises(UsageError, match=message):
        load_services(target, "default")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (ExitCode.FAILED, ExecutionFailed()),
        (ExitCode.FAILED, AlreadyExistsError()),
        (ExitCode.USAGE, InvalidArgumentError()),
        (ExitCode.NOT_FOUND, NotFoundError()),
        (ExitCode.CANCELLED, ExecutionCancelledError()),
        (ExitCode.TIMED_OUT, ExecutionTimedOut()),
        (ExitCode.TIMED_OUT, TimeoutError()),
        (ExitCode.UNREACHABLE, CoordinatorUnavailableError()),
    ],
)
def test_each_end_has_its_exit_code(code: ExitCode, error: Exception) -> None:
    assert code is exit_code(error)


def test_durations_have_units() -> None:
    said = {text: parse_duration(text, "x") for text in ("90s", "30m", "12h", "7d", "never", "0s")}
    assert {
        "90s": 90_000,
        "30m": 1_800_000,
        "12h": 43_200_000,
        "7d": 604_800_000,
        "never": 0,
        "0s": 1,
    } == said


def test_input_is_json() -> None:
    assert {"a": [1, None]} == parse_json('{"a": [1, null]}')


COMMANDS = ["server", "worker", "dev", "start", "run", "list", "show", "history", "result"]
COMMANDS += ["cancel", "retry", "pause", "resume", "delete", "health", "workers", "services"]
COMMANDS += ["event", "fork", "promise", "replay", "schedule", "stream"]
COMMANDS += ["check", "verify", "backup", "restore"]


def test_help_names_every_command() -> None:
    shown = perdure("--help")
    assert 0 == shown.returncode
    listed = [line.split()[0] for line in shown.stdout.partition("Commands:")[2].splitlines()[1:]]
    assert sorted(COMMANDS) == sorted(listed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("start", "a", "b", "{not json"), "perdure: INPUT is not valid JSON"),
        (("run", "a", "b", '{"a": NaN}'), "perdure: INPUT is not valid JSON"),
        (("retry", "x", "--input", "]"), "perdure: --input is not valid JSON"),
        (("worker", "no_such_app"), "perdure: there is no module 'no_such_app'"),
        (("start", "a"), "Missing argument"),
        (("server", "--retention", "a week"), "perdure: --retention 'a week' is no duration"),
        (("cancel",), "perdure: give the ids of executions, or a filter"),
        (("delete", "a", "--prefix", "b"), "perdure: give the ids of executions, or a filter"),
        (("start", "a", "b", "--start-at", "noon"), "perdure: --start-at 'noon' is no ISO time"),
        (("fork", "a"), "Missing option"),
        (("frobnicate",), "No such command"),
        (("list", "-o", "xml"), "'xml' is not one of"),
    ],
)
def test_a_usage_error_is_one_line_and_code_2(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    finished = perdure(*arguments, cwd=tmp_path)
    assert ExitCode.USAGE == finished.returncode
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "" == finished.stdout
