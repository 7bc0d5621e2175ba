"""Test parts shipped for others: store conformance, histories. Nothing here runs in production."""
