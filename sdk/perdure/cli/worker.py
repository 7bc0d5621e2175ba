"""`perdure worker`: run services of a module or file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.arguments import Endpoint, Namespace, Token
from perdure.cli.connecting import DEFAULT_ENDPOINT
from perdure.cli.failures import failures_shown, tell
from perdure.cli.loading import load_services
from perdure.cli.processes import own_command, supervise

if TYPE_CHECKING:
    from perdure.service import Service
    from perdure.settings import Settings

TargetName = Annotated[
    str, typer.Argument(metavar="TARGET", help="module:service, module or file.py")
]
Processes = Annotated[int, typer.Option(min=1, help="How many; one uses one core.")]
Slots = Annotated[int, typer.Option(min=1, help="Executions in progress at a time, per process.")]
MaxCached = Annotated[
    int, typer.Option(min=0, help="Suspended executions kept in memory; 0 replays at every await.")
]
DefaultService = Annotated[
    str, typer.Option("--service", help="For functions that belong to no service.")
]
Authority = Annotated[
    str | None, typer.Option("--tls-ca", help="Signs the coordinator's certificate, PEM.")
]
Certificate = Annotated[
    str | None, typer.Option("--tls-cert", help="The worker's own, for mutual TLS, PEM.")
]
Key = Annotated[str | None, typer.Option("--tls-key", help="Of that certificate, PEM.")]


def worker(
    target: TargetName,
    processes: Processes = 1,
    slots: Slots = 200,
    max_cached: MaxCached = 10_000,
    service: DefaultService = "default",
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
    tls_ca: Authority = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
) -> None:
    """Run the services of TARGET until Ctrl-C or SIGTERM."""
    if processes > 1:
        raise SystemExit(supervise([*own_command(), "--processes", "1"], processes))
    with failures_shown("stopped"):
        from perdure_runtime.grpc_loading import load_grpc

        load_grpc()
        from perdure.cli.telemetry import set_up_telemetry
        from perdure.settings import load_settings

        settings = load_settings(
            endpoint=endpoint,
            namespace=namespace,
            token=token,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
        )
        services = load_services(target, service)
        set_up_telemetry(services[0].name)
        _serve(services, settings, slots, max_cached)


def _serve(services: list[Service], settings: Settings, slots: int, max_cached: int) -> None:
    import asyncio

    from perdure.durable import get_worker
    from perdure_runtime.own_process import settle
    from perdure_runtime.real_loop import real_loop_factory

    endpoint = settings.endpoint or DEFAULT_ENDPOINT

    async def main() -> None:
        made = get_worker(
            service_name=services[0].name,
            version=services[0].version,
            coordinator_endpoint=endpoint,
            namespace=settings.namespace,
            token=settings.token,
            tls=settings.tls(),
            slots=slots,
            max_cached=max_cached,
        )
        for each in services:
            await made.register_service(each)
            tell(f"service {each.name} {each.version}: {', '.join(each.methods)}")
        tell(f"worker for {endpoint}, namespace {settings.namespace}; Ctrl-C stops it")
        await made.run()

    settle()
    with asyncio.Runner(loop_factory=real_loop_factory()) as runner:
        runner.run(main())
