"""The step that the users' `data_pipeline` fetches its sources with."""

from typing import Any

from tests.integration.apps.witness import witness


async def fetch_data_source(source: str) -> dict[str, Any]:
    """Rows of a source; every source has as many as its name has letters."""
    witness(f"fetch_data_source {source}")
    return {"source": source, "rows": len(source)}


def fetch_from_source(source: str) -> dict[str, Any]:
    """A data set with as many rows as the source's name has letters."""
    witness(f"fetch {source}")
    return {"source": source, "rows": len(source)}


async def process_dataset(dataset: dict[str, Any], number: int) -> dict[str, Any]:
    """The data set with its number."""
    witness(f"dataset {dataset['source']}")
    return {**dataset, "number": number}


def analyze_dataset(dataset: dict[str, Any]) -> str:
    """What there is to say of it."""
    witness(f"analyze {dataset['source']}")
    return f"{dataset['number']}: {dataset['source']} has {dataset['rows']} rows"
