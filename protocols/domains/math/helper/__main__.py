r"""The process that asks math-verify and reasoning-gym. It reads one line of JSON a question and writes one
line a finding.

    {"do": "equal", truth, answer, rounded}   ──▶ equal, different, unreadable or timeout
    {"do": "make", source}                    ──▶ its problem, the answer, whether it can be judged
    {"do": "score", source, answer}           ──▶ what its own scorer says

A process of its own, because computer algebra can run for ever or fill the memory, and because libraries
print to standard output. Memory and processor time are limited; the deadline is its parent's. Nothing of ours
is imported here, and nothing that a model wrote is evaluated (`generators`).
"""

import json
import logging
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

MEMORY_BYTES = 2 << 30


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    logging.disable()
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import algebra

    # Its grammars load with the first use; without them nothing could be read, and no answer were right.
    if algebra.compare("1/2", "\\frac{1}{2}", False) != "equal":
        sys.exit("math-verify reads no fractions")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write but its answers

    def tell(**told: Any) -> None:
        answers.write(json.dumps(told) + "\n")
        answers.flush()

    tell(said="ready")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["do"] == "equal":
                tell(said=algebra.compare(asked["truth"], asked["answer"], asked["rounded"]))
                continue
            import generators  # slow to import, and files need none

            if asked["do"] == "make":
                tell(**generators.made(asked["source"]))
            else:
                tell(said="scored", score=generators.score(asked["source"], asked["answer"]))
        except (MemoryError, RecursionError) as error:
            tell(said="timeout", why=type(error).__name__)
        except Exception as error:  # whatever computer algebra and scorers do with what a model wrote
            tell(said="unreadable", why=" ".join(str(error).split())[:200] or type(error).__name__)


if __name__ == "__main__":
    main()
