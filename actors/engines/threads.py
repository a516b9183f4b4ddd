"""The transformers engine's threads: fewer while other programs want the cores, as long as no bit changes.

Two runs with the same seed store the same texts (docs/determinism.md), whatever else the machine had to do
meanwhile. So a number of threads is tried before it is used: decoding with it must give the same logits as
with all threads, bit by bit. With bfloat16 it does where it was tried; float32 products are added up in
another order by another number of threads, and the engine then keeps to one number.

The number belongs to the calling thread, and others in the process (a learner's) have theirs, so it is set
before every piece of work. Does not cover: vLLM, which has threads of its own.
"""

from collections.abc import Callable, Sequence

import torch

from actors.threads import Pace, choices_of
from protocols.cores import cores, usable_cores

Logits = Callable[[], Sequence[torch.Tensor]]


class EngineThreads:
    """Args:
    fixed: the number that the user set; 0 = by what the machine does.
    logits: decodes something of the engine's usual shapes.
    """

    def __init__(self, fixed: int, logits: Logits) -> None:
        self.most = fixed or usable_cores()
        self._logits = logits
        self._same = {self.most}
        self._pace = self._paced([fixed] if fixed else choices_of(self.most))

    def begin(self) -> None:
        """An engine's call begins."""
        self._pace.begin()
        self.set()

    def set(self) -> None:
        """Have the calling thread compute with as many as are good now."""
        wanted = self._pace.threads()
        if wanted not in self._same:
            wanted = self._tried(wanted)
        _compute_with(wanted)

    def _tried(self, wanted: int) -> int:
        """`wanted` if it changes no bit, else all; it is then never wanted again."""
        found = []
        for threads in (self.most, wanted):
            _compute_with(threads)
            found.append(self._logits())
        if all(torch.equal(one, other) for one, other in zip(*found, strict=True)):
            self._same.add(wanted)
            return wanted
        self._pace = self._paced([choice for choice in self._pace.choices if choice != wanted])
        self._pace.begin()
        return self.most

    def _paced(self, choices: Sequence[int]) -> Pace:
        return Pace(choices, cores().allowed)


def _compute_with(threads: int) -> None:
    # Ray sets OMP_NUM_THREADS to an actor's num_cpus, 1 by default, and a learner in the same process
    # may have chosen otherwise.
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
