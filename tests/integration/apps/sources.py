"""The step that the users' `data_pipeline` fetches its sources with."""

from typing import Any

from tests.integration.apps.witness import witness


async def fetch_data_source(source: str) -> dict[str, Any]:
    """Rows of a source; every source has as many as its name has letters."""
    witness(f"fetch_data_source {source}")
    return {"source": source, "rows": len(source)}
