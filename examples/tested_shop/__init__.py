"""An order function and the tests that its authors would write."""
