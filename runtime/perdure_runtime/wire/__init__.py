"""Core values to protocol messages and back: the only place that speaks protobuf."""
