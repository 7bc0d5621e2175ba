"""A deterministic simulator: the real engine, workers and clients in one seeded world with faults.

`program` says what is run, `faults` what goes wrong.
"""
