"""Worker processes of the command line: the fixed hash seed, and several under one supervisor."""

import os
import signal
import subprocess
import sys

SEED = """
import os, sys
from perdure.cli.processes import with_fixed_hash_seed
with_fixed_hash_seed()
print(os.environ["PYTHONHASHSEED"], sys.argv[1:], hash("a"))
"""

SUPERVISOR = """
import sys
from perdure.cli.processes import supervise
raise SystemExit(supervise([sys.executable, "-c", sys.argv[1]], 2))
"""

UNTIL_TERMINATED = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(1, b"started\\n")  # at once: two processes share the pipe
signal.sigwait([signal.SIGTERM])
os.write(1, b"ended\\n")
"""


def test_a_worker_process_runs_with_a_fixed_hash_seed() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    shown = {
        subprocess.run(
            [sys.executable, "-c", SEED, "an argument"],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
        for _ in range(2)
    }
    assert 1 == len(shown)
    assert shown.pop().startswith("0 ['an argument'] ")


def test_the_supervisor_passes_the_signal_on_and_waits() -> None:
    command = [sys.executable, "-c", SUPERVISOR, UNTIL_TERMINATED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        assert ["started\n"] * 2 == started
        assert "ended\nended\n" == process.stdout.read()
        assert 0 == process.wait(30)


def test_processes_that_die_at_once_end_the_supervisor() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, "raise SystemExit(3)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 3 == finished.returncode
    assert "ended at once with code 3" in finished.stderr
