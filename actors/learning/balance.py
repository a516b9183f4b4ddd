"""Which rank computes which micro-batch: as pure functions.

Does not cover: how sequences become micro-batches (`packing.split`).
"""

import heapq
from collections.abc import Sequence


def balanced(loads: Sequence[int], ranks: int) -> list[list[int]]:
    """Indices of the loads for each rank, by longest processing time first: the largest load that is left
    goes to the rank with the least so far.

    The fullest rank then has at most 4/3 - 1/(3 ranks) times what the best possible division gives it.
    Source: R. L. Graham, "Bounds on multiprocessing timing anomalies" (1969), theorem 2. The same loads give
    the same division everywhere, so that ranks need not talk about it.

    Args:
        loads: tokens of each micro-batch, not negative.

    Returns:
        `ranks` lists, each ascending; every index stands in exactly one of them.
    """
    shares: list[list[int]] = [[] for _ in range(ranks)]
    least = [(0, rank) for rank in range(ranks)]
    for index in sorted(range(len(loads)), key=lambda i: (-loads[i], i)):
        load, rank = heapq.heappop(least)
        shares[rank].append(index)
        heapq.heappush(least, (load + loads[index], rank))
    return [sorted(share) for share in shares]
