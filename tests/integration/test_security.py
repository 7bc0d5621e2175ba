"""TLS, client certificates and tokens against real servers, with certificates made here."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme
from google.protobuf.descriptor import FileDescriptor
from grpc import aio

import perdure
from perdure.client.security import Tls
from perdure.errors import AuthenticationError, CoordinatorUnavailableError, InvalidArgumentError
from perdure_coordinator.security import OPEN_METHODS, Security, check_address, read_tokens
from perdure_proto.v1 import admin_pb2, client_pb2, worker_pb2
from tests.integration.processes import PythonProcess
from tests.integration.workers import WORKS, killed_at_the_end, worker_environment

LISTENS = re.compile(r"perdure: listening on (\S+):(\d+),")
FILES: list[FileDescriptor] = [file.DESCRIPTOR for file in (admin_pb2, client_pb2, worker_pb2)]


@dataclass(frozen=True, slots=True)
class Authority:
    """Certificates of one test and the files they are in."""

    folder: Path
    ca: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]

    def tls(self, *, certificate: bool = True) -> Tls:
        """What a client gives."""
        pair = self.client if certificate else (None, None)
        return Tls(str(self.ca), *(str(file) if file else None for file in pair))


def make_authority(folder: Path) -> Authority:
    """A CA, a certificate for 127.0.0.1 and one for a client."""
    folder.mkdir()
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    pairs = []
    for name in ("127.0.0.1", "client.example"):
        issued = ca.issue_cert(name)
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        pairs.append((certificate, key))
    return Authority(folder, folder / "ca.pem", pairs[0], pairs[1])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "ours")


@asynccontextmanager
async def server(folder: Path, *options: str | Path) -> AsyncIterator[str]:
    """`perdure server` with options; gives host and port."""
    place = ("--db", str(folder / "perdure.db"), "--port", "0")
    process = PythonProcess("perdure", ("server", *place, *map(str, options)), ready=LISTENS)
    async with killed_at_the_end(process):
        await process.start()
        assert process.match is not None
        yield f"127.0.0.1:{process.match[2]}"
        assert 0 == await process.stop()


def token_file(folder: Path, *tokens: str) -> Path:
    """A file with tokens."""
    path = folder / "tokens"
    path.write_text("# of the test\n\n" + "".join(f"{token}\n" for token in tokens))
    path.chmod(0o600)
    return path


async def test_client_worker_and_server_over_mutual_tls_with_tokens(
    tmp_path: Path, authority: Authority
) -> None:
    ours, theirs = secrets.token_hex(16), secrets.token_hex(16)
    tokens = token_file(tmp_path, ours, theirs)
    certificate, key = authority.server
    options = ("--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.ca)
    async with server(tmp_path, *options, "--token-file", tokens) as place:
        worker = PythonProcess(
            "perdure",
            (
                *("worker", "tests.integration.apps.callees", "--endpoint", f"https://{place}"),
                *("--tls-ca", str(authority.ca), "--tls-cert", str(authority.client[0])),
                *("--tls-key", str(authority.client[1])),
            ),
            ready=WORKS,
            environment=worker_environment(tmp_path / "witness") | {"PERDURE_TOKEN": theirs},
        )
        async with killed_at_the_end(worker):
            await worker.start()
            async with perdure.connect(
                f"https://{place}", token=ours, tls=authority.tls(), ambient=False
            ) as client:
                handle = await client.start("service_a", "method1", {"x": 1})
                assert {"x": 1, "by": "a"} == await handle.result(30)
                assert "serving" == (await client.health())["status"]
                assert [entry.index async for entry in handle.history()]
                assert 1 == len(await client.workers())


async def test_who_shows_no_certificate_or_a_strangers_is_not_answered(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.server
    strangers = make_authority(tmp_path / "strangers")
    options = ("--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.ca)
    stranger = Tls(str(authority.ca), *map(str, strangers.client))
    distrusting = Tls(str(strangers.ca), *map(str, authority.client))
    async with server(tmp_path, *options) as place:
        for tls in (authority.tls(certificate=False), stranger, distrusting):
            async with perdure.connect(
                f"https://{place}", tls=tls, ambient=False, retry_s=0.3
            ) as client:
                with pytest.raises(CoordinatorUnavailableError):
                    await client.workers()
        async with perdure.connect(f"http://{place}", ambient=False, retry_s=0.3) as client:
            with pytest.raises(CoordinatorUnavailableError):
                await client.workers()
        tls = authority.tls()
        async with perdure.connect(f"https://{place}", tls=tls, ambient=False) as client:
            assert [] == await client.workers()


@pytest.mark.parametrize("token", [None, "", "x" * 32, "almost"])
async def test_clients_and_workers_without_the_token_are_refused_at_once(
    tmp_path: Path, token: str | None
) -> None:
    right = secrets.token_hex(16)
    if token == "almost":  # one character is missing
        token = right[:-1]
    async with server(tmp_path, "--token-file", token_file(tmp_path, right)) as place:
        async with perdure.connect(place, token=token, ambient=False) as client:
            for ask in (client.workers(), client.get("x").describe(), client.start("s", "m", 1)):
                with pytest.raises(AuthenticationError, match="PERDURE_TOKEN") as error:
                    await ask
                assert right not in str(error.value)
            with pytest.raises(AuthenticationError):
                await anext(client.get("x").history())
        service = perdure.durable.service(f"refused-{secrets.token_hex(4)}")
        worker = perdure.durable.get_worker(service.name, None, place, token=token)
        with pytest.raises(AuthenticationError):
            await worker.start()
        async with perdure.connect(place, token=right, ambient=False) as client:
            assert [] == await client.workers()


def methods() -> list[str]:
    """Every method of our descriptors, of the standard services, and one that there is not."""
    ours = [
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
    ]
    assert len(ours) > 10
    return [
        *ours,
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/perdure.v1.ClientService/AddedLater",
        "/another.Service/Method",
    ]


async def status_of(place: str, method: str, metadata: tuple[tuple[str, str], ...]) -> str:
    """What a call without a message ends with; "none" while it is being served."""
    async with aio.insecure_channel(place) as channel:
        call = channel.stream_stream(method, None, None)(None, metadata=metadata)
        try:
            async with asyncio.timeout(1):
                await call.done_writing()
                await call.read()
                code = await call.code()
        except TimeoutError:
            return "none"
        except grpc.RpcError as error:
            code = error.code()
        name: str = code.name
        return name


async def test_every_method_there_is_wants_the_token(tmp_path: Path) -> None:
    right = secrets.token_hex(16)
    no_good: list[tuple[tuple[str, str], ...]] = [
        (),
        (("authorization", "Bearer wrong" * 3),),
        (("authorization", right),),
        (("authorization", f"Basic {right}"),),
        (("authorization", f"Bearer {right}"), ("authorization", "Bearer other")),
    ]
    good = (("authorization", f"bearer {right}"),)
    async with server(tmp_path, "--token-file", token_file(tmp_path, right)) as place:
        for method in methods():
            for metadata in no_good:
                assert "UNAUTHENTICATED" == await status_of(place, method, metadata), method
        codes = await asyncio.gather(*(status_of(place, method, good) for method in methods()))
        assert "UNAUTHENTICATED" not in codes
        assert "UNIMPLEMENTED" == codes[-1]
        for method in OPEN_METHODS:
            assert "UNAUTHENTICATED" != await status_of(place, method, ())


async def test_the_health_check_alone_needs_no_token(tmp_path: Path) -> None:
    tokens = token_file(tmp_path, secrets.token_hex(16))
    async with (
        server(tmp_path, "--token-file", tokens) as place,
        perdure.connect(place, ambient=False) as client,
    ):
        assert "serving" == (await client.health())["status"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no token"),
        ("# nothing\n\n", "holds no token"),
        ("short\n", "fewer than 16"),
        ("two words of twenty characters\n", "blanks"),
        ("t\u00f6ken" * 5, "ASCII"),
    ],
)
def test_token_files_that_are_none(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidArgumentError, match=complaint):
        read_tokens(path)


def test_a_token_file_that_others_can_read_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = token_file(tmp_path, "t" * 20)
    path.chmod(0o644)
    assert ["t" * 20] == [token.secret for token in read_tokens(path)]
    assert "chmod 600" in caplog.text
    assert "tttt" not in caplog.text


def test_files_that_make_no_sense(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.server
    for security, complaint in (
        (Security(certificate), "both"),
        (Security(client_ca_file=authority.ca), "over TLS"),
        (Security(tmp_path / "missing", key), "cannot read"),
        (Security(key, key), "no PEM file with a certificate"),
        (Security(certificate, certificate), "no PEM file with a private key"),
    ):
        with pytest.raises(InvalidArgumentError, match=complaint):
            security.credentials()
    with pytest.raises(InvalidArgumentError, match="cannot read"):
        Security(token_file=tmp_path / "missing").interceptors()


def test_an_address_that_others_reach_needs_encryption_and_a_secret(tmp_path: Path) -> None:
    some = tmp_path / "file"
    check_address("0.0.0.0", False, Security(some, some, None, some))
    check_address("0.0.0.0", False, Security(some, some, some))
    for security, complaint in (
        (Security(), "neither encryption nor tokens"),
        (Security(some, some), "admits everybody"),
        (Security(token_file=some), "unencrypted"),
    ):
        with pytest.raises(InvalidArgumentError, match=complaint):
            check_address("0.0.0.0", False, security)
        check_address("0.0.0.0", True, security)
        check_address("127.0.0.1", False, security)


async def test_the_tokens_are_in_no_output_and_in_no_file_of_the_database(tmp_path: Path) -> None:
    right = secrets.token_hex(16)
    place = ("--db", str(tmp_path / "perdure.db"), "--port", "0")
    tokens = token_file(tmp_path, right)
    process = PythonProcess(
        "perdure", ("server", *place, "--token-file", str(tokens)), ready=LISTENS
    )
    async with killed_at_the_end(process):
        await process.start()
        assert process.match is not None
        endpoint = f"127.0.0.1:{process.match[2]}"
        for token in (right, right[::-1]):
            async with perdure.connect(endpoint, token=token, ambient=False) as client:
                try:
                    await client.start("service", "method", 1)
                except AuthenticationError:
                    assert token != right
        await process.stop()
        assert right not in process.told()
        assert right[::-1] not in process.told()
    for name in os.listdir(tmp_path):
        if name.startswith("perdure.db"):
            assert right.encode() not in (tmp_path / name).read_bytes()
