"""Where SDK and coordinator meet: the only package of the SDK that imports the coordinator.

The rest of the SDK reaches it lazily, so that clients and workers load nothing of a coordinator.
"""
