"""The door of a shared database: who may come in, what is left behind, what is told."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure._compose import door as doors
from perdure._compose.door import Door, NoAnswer, knock, socket_directory
from perdure.errors import PerdureError


@pytest.fixture(autouse=True)
def runtime_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Not in `tmp_path`: its name may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="perdure-", dir="/tmp") as name:
        place = Path(name)
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield place


async def serve(path: str) -> None:
    Path(path).touch()


def test_the_directory_is_the_users_alone(runtime_directory: Path) -> None:
    place = socket_directory()
    assert runtime_directory / "perdure" == place
    assert 0o700 == place.stat().st_mode & 0o777
    place.chmod(0o755)
    with pytest.raises(PerdureError, match="only user"):
        socket_directory()


def test_a_link_in_place_of_the_directory_is_not_followed(
    runtime_directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (runtime_directory / "perdure").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PerdureError, match="only user"):
        socket_directory()


def test_a_runtime_directory_that_others_may_enter_is_not_used(runtime_directory: Path) -> None:
    runtime_directory.chmod(0o755)
    assert Path("/tmp", f"perdure-{os.getuid()}") == socket_directory()


async def test_any_path_of_a_database_fits_and_an_endless_directory_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(tmp_path / ("x" * 200) / "perdure.db", serve)
    assert len(os.fsencode(door.path)) <= doors.MAX_PATH_BYTES
    await door.let_go()
    deep = tmp_path / ("y" * 100)
    deep.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with pytest.raises(PerdureError, match="too long"):
        Door(tmp_path / "perdure.db", serve)


async def test_a_guest_waits_until_the_host_serves_and_hears_its_end(tmp_path: Path) -> None:
    door = Door(tmp_path / "perdure.db", serve)
    door.open()
    coming = asyncio.create_task(knock(str(door.path), 20.0))
    done, _ = await asyncio.wait([coming], timeout=0.05)
    assert not done
    door.ready()
    visit = await coming
    assert os.getpid() == visit.pid
    assert Path(visit.served).exists()
    gone = asyncio.create_task(visit.until_gone())
    door.shut()
    with pytest.raises(NoAnswer):
        await knock(str(door.path), 1.0)
    assert not gone.done()
    await door.let_go()
    await asyncio.wait_for(gone, 20)
    visit.end()


async def test_what_a_dead_host_left_is_removed_by_the_next(tmp_path: Path) -> None:
    door = Door(tmp_path / "perdure.db", serve)
    door.open()
    door._listener.close()  # as a SIGKILL would: the names stay
    left = door.path.with_suffix(".4711.1")
    left.touch()
    other = door.path.with_name("other.4711.1")
    other.touch()
    following = Door(tmp_path / "perdure.db", serve)
    following.open()
    assert not left.exists()
    assert other.exists()
    following.ready()
    (await knock(str(following.path), 20.0)).end()
    await following.let_go()
    await door.let_go()


async def test_a_host_that_cannot_serve_says_why(tmp_path: Path) -> None:
    async def fail(path: str) -> None:
        raise PerdureError("no gRPC here")

    door = Door(tmp_path / "perdure.db", fail)
    door.open()
    door.ready()
    for _ in range(2):
        with pytest.raises(PerdureError, match=rf"process {os.getpid()} cannot .* no gRPC here"):
            await knock(str(door.path), 20.0)
    await door.let_go()
