"""A coordinator whose syncs fail from the moment it gets SIGUSR1, as on a disk that breaks.

The kernel itself refuses `fsync` and `fdatasync` with EIO, in all threads (a seccomp filter).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import runpy
import signal
import struct
import subprocess
import sys
from typing import Final

# Numbers of the calls: seccomp, fsync, fdatasync.
CALLS: Final = {"x86_64": (317, 74, 75), "aarch64": (277, 82, 83)}
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x00050000 | errno.EIO, 0x7FFF0000
NO_NEW_PRIVILEGES, SET_FILTER, ALL_THREADS = 38, 1, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def fail_syncs(*_: object) -> None:
    """From now on, for good."""
    seccomp, fsync, fdatasync = CALLS[platform.machine()]
    steps = ((LOAD, 0, 0, 0), (IF_EQUAL, 1, 0, fsync), (IF_EQUAL, 0, 1, fdatasync))
    ends = ((RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW))
    code = b"".join(struct.pack("HBBI", *step) for step in (*steps, *ends))
    program = _Program(len(steps) + len(ends), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if libc.syscall(seccomp, SET_FILTER, ALL_THREADS, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "seccomp")
    sys.stdout.write("syncs fail from now on\n")
    sys.stdout.flush()


def can_fail() -> bool:
    """Whether the kernel lets a process do this to itself; tried in one."""
    if platform.machine() not in CALLS:
        return False
    return 0 == subprocess.run([sys.executable, "-m", __name__, "try"], timeout=60).returncode


if __name__ == "__main__":
    if sys.argv[1:] == ["try"]:
        fail_syncs()
        sys.exit()
    signal.signal(signal.SIGUSR1, fail_syncs)
    runpy.run_module("perdure_coordinator", run_name="__main__")
