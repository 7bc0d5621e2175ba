"""What an import drags in, seen in a fresh interpreter: scripts start fast, pickles stay out."""

import subprocess
import sys

import pytest

LOADED_BY = "import sys, {module}; print(*sorted(sys.modules))"


def modules_loaded_by(module: str) -> set[str]:
    """Names of the modules in a fresh interpreter after `import module`, parents included."""
    finished = subprocess.run(
        [sys.executable, "-I", "-c", LOADED_BY.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(finished.stdout.split())


@pytest.mark.parametrize(
    ("module", "kept_out"),
    [
        (
            "perdure",
            {
                "grpc",
                "google.protobuf",
                "opentelemetry",
                "perdure_coordinator",
                "rich",
                "typer",
            },
        ),
        # Payloads are opaque bytes to the coordinator: what cannot be unpickled cannot do harm.
        ("perdure_coordinator", {"cloudpickle", "perdure_runtime.serde"}),
        ("perdure_runtime.core", {"asyncio", "google.protobuf", "grpc", "logging", "sqlite3"}),
    ],
)
def test_an_import_keeps_out(module: str, kept_out: set[str]) -> None:
    assert set() == modules_loaded_by(module) & kept_out
