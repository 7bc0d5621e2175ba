"""What clients and workers ask of an execution: one pure decision per request."""
