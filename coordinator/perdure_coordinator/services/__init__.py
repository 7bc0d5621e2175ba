"""The gRPC side of the coordinator: bytes to values of core, engine calls, values to bytes.

No rule of the engine lives here. `calls` has what all services share, `streams` the writer of a
stream, `worker`, `client` and `admin` one service each.
"""
