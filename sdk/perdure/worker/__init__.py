"""Running definitions for a coordinator: the executor, its steps, and the worker around them."""
