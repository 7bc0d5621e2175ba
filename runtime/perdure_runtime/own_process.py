"""Settings of the processes that are Perdure's own: `perdure server` and `perdure worker`.

Never of an application that embeds Perdure or is a client: those decide for themselves.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = 20_000  # objects between two looks for young cycles; CPython's own is 700


def settle() -> None:
    """Look for garbage cycles less often, and never among what is there for good.

    Journals and bodies are freed by reference counts; the collector's passes over all that is alive
    cost a tenth of a busy process. Call it when everything is imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
