"""Settings of the whole test suite. It imports nothing of Perdure and defines no fixtures: those
stand beside the tests that use them.
"""

import os

from hypothesis import settings

from tests.proof.counting import (  # hooks: what each test tried, for `make prove`
    pytest_addoption,
    pytest_runtest_call,
    pytest_terminal_summary,
)

__all__ = ["pytest_addoption", "pytest_runtest_call", "pytest_terminal_summary"]

# Machines that run the suite are small and shared, so no example has a deadline. A failure on CI
# must be found again by a second run, so examples are not random there.
settings.register_profile("perdure", deadline=None, print_blob=True)
settings.register_profile("perdure-ci", settings.get_profile("perdure"), derandomize=True)
settings.load_profile("perdure-ci" if os.environ.get("CI") else "perdure")
