"""Orders over HTTP: see README.md."""
