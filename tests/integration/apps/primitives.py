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
from tests.integration.apps.pattern_callees import (
    PATTERN_CALLEES,
    inventory,
    orders,
    payment,
    report_generator,
)
from tests.seeds.durable_primitives import (
    advanced_service_integration,
    data_pipeline,
    process_data,
    stateful_processing,
)
from tests.seeds.parallel import parallel_data_processing
from tests.seeds.saga import saga_transaction

advanced = durable.service("advanced-service", "1.0.0")
advanced.add_function(process_data)
advanced.add_function(data_pipeline)

primitives = durable.service("primitives")
primitives.add_function(advanced_service_integration)
primitives.add_function(stateful_processing)
primitives.add_function(parallel_data_processing)
primitives.add_function(saga_transaction)

SERVICES = [advanced, primitives, *CALLEES, *PATTERN_CALLEES]

__all__ = [  # a worker serves the services that it finds in this module
    "SERVICES",
    "advanced",
    "combiner_service",
    "enrichment_service",
    "fallback_service",
    "inventory",
    "orders",
    "payment",
    "primitives",
    "processing_service",
    "processor",
    "processor_service",
    "report_generator",
    "report_service",
    "service_a",
    "service_b",
]
