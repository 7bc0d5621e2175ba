"""The users' block on registering services, as they wrote it.

Without its import. It awaits at the top level, so it is kept as text;
`tests.integration.apps.registration` runs it.
"""

BLOCK = """
# Create service
service = durable.service("advanced-service", "1.0.0")

# Register durable functions
service.add_function(process_data)
service.add_function(data_pipeline)

# Register durable objects
service.add_object(OrderProcessor)

# Get service configuration for runtime
config = service.get_service_config()

# Start service worker
worker = durable.get_worker(
    service_name="advanced-service",
    version="1.0.0",
    coordinator_endpoint="http://localhost:8080"
)

await worker.register_function(process_data)
await worker.register_function(data_pipeline)
await worker.register_object(OrderProcessor)
await worker.start()
"""
