"""What code inside of executions uses: `DurableContext`, one module per primitive, and `ctx`.

It issues commands through a `perdure_runtime.driver.Body` and decodes their outcomes. It runs no
steps, and knows no worker and no coordinator.
"""

from perdure.context.context import DurableContext
from perdure.context.future import DurableFuture
from perdure.context.proxy import ctx, resources

__all__ = ["DurableContext", "DurableFuture", "ctx", "resources"]
