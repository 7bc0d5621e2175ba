"""Messages of `AdminService`, between core and protobuf. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from perdure_proto.v1 import admin_pb2
from perdure_runtime.core.client import MethodInfo, WorkerInfo
from perdure_runtime.wire.v1.options import DEFAULT_NAMESPACE


def encode_list_workers_request(namespace: str) -> admin_pb2.ListWorkersRequest:
    """Request of `ListWorkers`."""
    return admin_pb2.ListWorkersRequest(namespace=namespace)


def encode_list_services_request(namespace: str) -> admin_pb2.ListServicesRequest:
    """Request of `ListServices`."""
    return admin_pb2.ListServicesRequest(namespace=namespace)


def decode_namespace(
    message: admin_pb2.ListWorkersRequest | admin_pb2.ListServicesRequest,
) -> str:
    """The namespace that a request is about."""
    return message.namespace or DEFAULT_NAMESPACE


def encode_workers(workers: Iterable[WorkerInfo]) -> admin_pb2.ListWorkersReply:
    """Reply of `ListWorkers`."""
    message = admin_pb2.ListWorkersReply()
    for worker in workers:
        part = message.workers.add()
        part.worker_id = worker.worker_id
        part.session_id = worker.session_id
        part.namespace = worker.namespace
        part.services.extend(worker.services)
        part.slots = worker.slots
        part.active = worker.active
        part.cached = worker.cached
        part.build_id = worker.build_id
    return message


def decode_workers(message: admin_pb2.ListWorkersReply) -> list[WorkerInfo]:
    """Reply of `ListWorkers`."""
    return [
        WorkerInfo(
            worker_id=part.worker_id,
            session_id=part.session_id,
            namespace=part.namespace,
            services=tuple(part.services),
            slots=part.slots,
            active=part.active,
            cached=part.cached,
            build_id=part.build_id,
        )
        for part in message.workers
    ]


def encode_methods(methods: Iterable[MethodInfo]) -> admin_pb2.ListServicesReply:
    """Reply of `ListServices`."""
    message = admin_pb2.ListServicesReply()
    for method in methods:
        part = message.methods.add()
        part.service = method.service
        part.method = method.method
        part.kind = method.kind
        part.version = method.version
        part.workers = method.workers
        part.input_schema = method.input_schema
        part.output_schema = method.output_schema
    return message


def decode_methods(message: admin_pb2.ListServicesReply) -> list[MethodInfo]:
    """Reply of `ListServices`."""
    return [
        MethodInfo(
            service=part.service,
            method=part.method,
            kind=part.kind,
            version=part.version,
            workers=part.workers,
            input_schema=part.input_schema,
            output_schema=part.output_schema,
        )
        for part in message.methods
    ]


def encode_stats_request() -> admin_pb2.StatsRequest:
    """Request of `Stats`."""
    return admin_pb2.StatsRequest()


def encode_stats(values: Mapping[str, float]) -> admin_pb2.StatsReply:
    """Reply of `Stats`."""
    return admin_pb2.StatsReply(values=values)


def decode_stats(message: admin_pb2.StatsReply) -> dict[str, float]:
    """Reply of `Stats`."""
    return dict(message.values)
