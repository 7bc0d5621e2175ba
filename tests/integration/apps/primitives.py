"""The users' blocks as services, and what they call.

`perdure worker tests.integration.apps.primitives` serves it all; `SERVICES` is the same embedded.
"""

from perdure import durable
from tests.integration.apps.callees import (
    CALLEES,
    combiner_service,
    enrichment_service,
    fallback_service,
    processing_service,
    processor,
    processor_service,
    report_service,
    service_a,
    service_b,
)
from tests.seeds.durable_primitives import (
    advanced_service_integration,
    data_pipeline,
    process_data,
    stateful_processing,
)

advanced = durable.service("advanced-service", "1.0.0")
advanced.add_function(process_data)
advanced.add_function(data_pipeline)

primitives = durable.service("primitives")
primitives.add_function(advanced_service_integration)
primitives.add_function(stateful_processing)

SERVICES = [advanced, primitives, *CALLEES]

__all__ = [  # a worker serves the services that it finds in this module
    "SERVICES",
    "advanced",
    "combiner_service",
    "enrichment_service",
    "fallback_service",
    "primitives",
    "processing_service",
    "processor",
    "processor_service",
    "report_service",
    "service_a",
    "service_b",
]
