"""Values to payloads and back. The coordinator never imports this package."""
