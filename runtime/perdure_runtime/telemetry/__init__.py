"""OpenTelemetry where the process uses it, and nothing at all where it does not.

Nothing of OpenTelemetry is imported here until somebody else has imported its SDK: without it no
span can be recorded, and a look into `sys.modules` is all that telemetry costs. Providers are never
set here; the commands do that, or the application.
"""

from perdure_runtime.telemetry.context import current_trace
from perdure_runtime.telemetry.tracing import Tracing, tracing

__all__ = ["Tracing", "current_trace", "tracing"]
