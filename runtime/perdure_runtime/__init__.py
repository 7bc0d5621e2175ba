"""The runtime shared by SDK and coordinator."""
