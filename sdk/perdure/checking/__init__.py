"""`perdure check`: finds in source text what a durable body must not do.

It reads, it does not import: nothing of the checked code runs. It sees what is written in a body,
not what a helper of it does elsewhere.
"""

from perdure.checking.checker import check_paths, check_source
from perdure.checking.finding import Finding
from perdure.checking.rules import RULES

__all__ = ["RULES", "Finding", "check_paths", "check_source"]
