"""The decorators: `step`, `function`, `flow`, and what they return.

They check and record, they run nothing: a definition goes into the registry of the process, calls
go to the ambient context or the ambient client.
"""

from perdure.decorators.ambient import task, workflow
from perdure.decorators.durable_function import DurableFunction
from perdure.decorators.durable_step import DurableStep
from perdure.decorators.flow import flow
from perdure.decorators.function import function
from perdure.decorators.step import step

__all__ = ["DurableFunction", "DurableStep", "flow", "function", "step", "task", "workflow"]
