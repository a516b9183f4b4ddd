"""How long OpenMP's threads spin at a barrier before they sleep; to be said before torch is loaded.

By default they spin for milliseconds. On an idle machine that costs nothing; beside another program it takes
the core away from the very thread that all are waiting for, and a training step of a second takes minutes.
Short spins cost a few per cent when nothing else runs (docs/engines.md, `taskspace bench busy`).
"""

import os
from collections.abc import MutableMapping

#: GNU's library, which torch brings, counts turns of an empty loop; Intel's, milliseconds.
BRIEFLY = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}
#: What users say about it themselves.
THEIRS = ("OMP_WAIT_POLICY", *BRIEFLY)


def wait_briefly(environ: MutableMapping[str, str] = os.environ) -> None:
    """Say it to libraries that are loaded from now on, and to child processes, unless the user has."""
    if not any(name in environ for name in THEIRS):
        environ.update(BRIEFLY)
