"""What clients hear of errors inside the coordinator."""

from __future__ import annotations

from perdure_coordinator.services.calls import as_told
from perdure_runtime.core.errors import CoordinatorUnavailableError, NotFoundError
from perdure_runtime.storage import Fenced, StoreBroken, StoreError


def test_a_store_that_closes_under_a_request_means_to_ask_the_next_coordinator() -> None:
    for error in (StoreError("the store is closed"), Fenced("epoch 1 has been superseded")):
        told = as_told(error)
        assert isinstance(told, CoordinatorUnavailableError)
        assert str(error) in str(told)
        assert told.__cause__ is error


def test_every_other_error_is_told_as_it_is() -> None:
    for error in (StoreBroken("the file is damaged"), NotFoundError("a"), RuntimeError("b")):
        assert as_told(error) is error
