"""Benchmarks: each prints one JSON line per case, beside the floors of the same run."""
