"""Perdure: ordinary async Python that survives crashes."""
