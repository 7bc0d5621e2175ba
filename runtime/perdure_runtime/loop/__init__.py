"""The deterministic asyncio loop that bodies run on; it performs no real I/O."""
