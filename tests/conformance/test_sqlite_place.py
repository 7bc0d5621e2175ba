"""Where a database may be: not on a file system of another machine."""

from pathlib import Path

import pytest

from perdure_coordinator.store import open_store
from perdure_coordinator.store.sqlite import place
from perdure_coordinator.store.sqlite.place import mount_of
from perdure_runtime.storage import StoreError

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 22 0:45 / /srv rw,relatime shared:7 - nfs4 server:/export/srv rw,vers=4.2
31 30 254:1 / /srv/me/scratch rw - xfs /dev/vdb rw
32 22 0:50 / /mnt/my\\040share rw - cifs //server/share rw
33 22 0:51 / /data rw - ext4 /dev/vdc rw
34 22 0:52 / /data rw master:3 - fuse.sshfs me@server:/data rw
not a mount
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/app.db", "ext4"),
        ("/srv/me/app.db", "nfs4"),
        ("/srv/me/scratch/app.db", "xfs"),
        ("/srvs/app.db", "ext4"),
        ("/mnt/my share/deep/app.db", "cifs"),
        ("/data/app.db", "fuse.sshfs"),
    ],
)
def test_the_nearest_and_last_mount_counts(path: str, kind: str) -> None:
    assert kind == mount_of(Path(path), MOUNTS)[0]


async def test_a_database_on_a_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 1 0:1 / {tmp_path.resolve()} rw - nfs4 server:/export rw\n")
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    with pytest.raises(StoreError, match=r"network file system \(nfs4 at .* local disk"):
        await open_store(tmp_path / "a.db")
    assert not (tmp_path / "a.db").exists()
    assert not (tmp_path / "a.db.lock").exists()


async def test_where_mounts_cannot_be_read_nothing_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "missing")
    await (await open_store(tmp_path / "a.db")).close()
