"""People, an agent and code share one queue of tasks; see README.md."""
