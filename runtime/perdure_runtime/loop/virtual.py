"""Virtual time and randomness for code that runs in a slice (semantics, section 4).

`install` replaces functions of `time`, `random`, `os` and `uuid` once per process. The
replacements ask the thread-local `slices.current`: outside of slices, on other threads and for
loops made with `virtual=False` they call the original. A name that another module imported
before (`from time import time`) keeps the original where that is a C function.
`datetime.now` cannot be replaced; see `time_calls`.
"""

from __future__ import annotations

import functools
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from perdure_runtime.loop.forbidden import refuse
from perdure_runtime.loop.slices import current

if TYPE_CHECKING:
    from perdure_runtime.loop.loop import DeterministicLoop

real_time: Final = time.time
"""The real clock, also inside slices: for machinery, never for bodies."""
real_monotonic: Final = time.monotonic
"""The real monotonic clock, also inside slices: for machinery, never for bodies."""

_GREGORIAN_TO_UNIX_100NS: Final = 0x01B21DD213814000


def uuid4_of(stream: random.Random) -> uuid.UUID:
    """Return a random UUID drawn from a stream."""
    return uuid.UUID(int=stream.getrandbits(128), version=4)


def _uuid1_of(loop: DeterministicLoop) -> uuid.UUID:
    # Not by uuid.uuid1 itself: it keeps its last timestamp for the whole process.
    stream = loop.owner.entropy()
    timestamp = int(loop.now * 1e7) + _GREGORIAN_TO_UNIX_100NS
    clock = stream.getrandbits(14)
    fields = (
        timestamp & 0xFFFFFFFF,
        (timestamp >> 32) & 0xFFFF,
        (timestamp >> 48) & 0x0FFF,
        clock >> 8,
        clock & 0xFF,
        stream.getrandbits(48) | 1 << 40,  # the multicast bit: no network card has this address
    )
    return uuid.UUID(fields=fields, version=1)


def _uuid7_of(loop: DeterministicLoop) -> uuid.UUID:
    milliseconds = int(loop.now * 1000) & ((1 << 48) - 1)
    bits = milliseconds << 80 | loop.owner.entropy().getrandbits(80)
    bits = bits & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=bits & ~(0x3 << 62) | 0x2 << 62)


class _Dispatch:
    """A function that is virtual in slices.

    An object, because built-in functions do not bind: with `class Meter: clock = time.monotonic`
    a plain function in its place would be called with the meter. Pickled by name, as built-ins.
    """

    def __init__(self, module: Any, name: str, virtual: Callable[..., Any]) -> None:
        self._real: Callable[..., Any] = getattr(module, name)
        self._virtual = virtual
        functools.update_wrapper(self, self._real)
        self.__module__ = module.__name__
        self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        loop = current.virtual
        if loop is None:
            return self._real(*args, **kwargs)
        return self._virtual(loop, *args, **kwargs)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<{self.__module__}.{self.__qualname__}, virtual in slices>"

    @contextmanager
    def taken_for_real(self, substitute: Callable[..., Any]) -> Iterator[None]:
        """Outside of slices, call this instead of the original, on this thread."""
        real, thread = self._real, threading.get_ident()

        def chosen(*args: Any, **kwargs: Any) -> Any:
            mine = threading.get_ident() == thread
            return (substitute if mine else real)(*args, **kwargs)

        self._real = chosen
        try:
            yield
        finally:
            self._real = real


_replaced: Final[dict[str, _Dispatch]] = {}


def _replace(module: Any, name: str, virtual: Callable[..., Any]) -> None:
    """Make `module.name` call `virtual(loop, *args)` in a slice and the original elsewhere."""
    dispatch = _replaced[f"{module.__name__}.{name}"] = _Dispatch(module, name, virtual)
    setattr(module, name, dispatch)


@contextmanager
def simulated_reality(
    now: Callable[[], float],
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
    stream: random.Random,
) -> Iterator[None]:
    """What is real outside of slices, for simulations: this thread's clocks and randomness.

    Machinery and user code that ask `time`, `random`, `os.urandom` and `uuid` get these; bodies
    keep their own. `install` must have been called.

    Args:
        now: the wall clock in seconds.
        sleep: instead of `time.sleep`.
    """
    substitutes: dict[str, Callable[..., Any]] = {
        "time.time": now,
        "time.time_ns": lambda: round(now() * 1e9),
        "time.sleep": sleep,
        "os.urandom": stream.randbytes,
        "uuid.uuid4": lambda: uuid4_of(stream),
    }
    for name in ("monotonic", "perf_counter"):
        substitutes[f"time.{name}"] = monotonic
        substitutes[f"time.{name}_ns"] = lambda: round(monotonic() * 1e9)
    for name in _replaced:
        module, _, function = name.partition(".")
        if module == "random":
            substitutes[name] = getattr(stream, function)
    with ExitStack() as stack:
        for name, substitute in substitutes.items():
            stack.enter_context(_replaced[name].taken_for_real(substitute))
        yield


def _sleep(loop: DeterministicLoop, seconds: float = 0) -> None:
    raise refuse("time.sleep()", "Write: await asyncio.sleep(seconds), which is durable.")


def _install_time() -> None:
    for name in ("time", "monotonic", "perf_counter"):
        _replace(time, name, lambda loop: loop.now)
        _replace(time, f"{name}_ns", lambda loop: round(loop.now * 1e9))
    _replace(time, "sleep", _sleep)


def _install_random() -> None:
    hidden = random.random.__self__  # type: ignore[attr-defined] # typed as a function, is a method
    for name in random.__all__:
        function = getattr(random, name)
        if getattr(function, "__self__", None) is hidden:
            draw: Callable[..., Any] = functools.partial(_draw, name)
            _replace(random, name, draw)
    seed = random.Random.seed

    @functools.wraps(seed)
    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        loop = current.virtual
        if a is None and loop is not None:
            a = loop.owner.entropy().getrandbits(256)
        seed(self, a, version)

    random.Random.seed = seeded  # type: ignore[method-assign] # random.Random() in a body


def _draw(name: str, loop: DeterministicLoop, *args: Any, **kwargs: Any) -> Any:
    return getattr(loop.random(), name)(*args, **kwargs)


def _install_entropy() -> None:
    _replace(os, "urandom", lambda loop, size: loop.owner.entropy().randbytes(size))
    # What SystemRandom and `secrets` read.
    random._urandom = os.urandom  # type: ignore[attr-defined]
    _replace(uuid, "uuid4", lambda loop: loop.uuid4())
    _replace(uuid, "uuid1", lambda loop, node=None, clock_seq=None: _uuid1_of(loop))
    if hasattr(uuid, "uuid7"):  # Python 3.14
        _replace(uuid, "uuid7", _uuid7_of)


def install() -> None:
    """Put the replacements in place; call it once per process."""
    _install_time()
    _install_random()
    _install_entropy()
