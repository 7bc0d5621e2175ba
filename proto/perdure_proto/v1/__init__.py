"""Generated code of the protocol perdure.v1; `make proto` writes it."""
