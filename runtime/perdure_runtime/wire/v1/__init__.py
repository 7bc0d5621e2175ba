"""The protocol perdure.v1."""
