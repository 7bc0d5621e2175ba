"""The pure core: rules as values and functions, without I/O, clock, randomness or threads."""
