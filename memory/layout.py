"""Places in the plane for the task space: stable while it grows, and cheap at any size.

Tasks of one topic lie together in a patch, on a sunflower spiral (phyllotaxis: the n-th point at radius
sqrt(n + 1/2) and n golden angles, so that points fill a disc evenly at every size). Patches hold `PATCH`
tasks and lie on a larger sunflower in the order in which they are begun; a topic that outgrows its patch
begins another one. Attempts fan around their task on a spiral that never leaves its surroundings.

Every place depends only on how many came before in its patch or at its task: nothing that has a place moves.
"""

import math

Position = tuple[float, float]

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))

#: Tasks in a patch; its radius is sqrt(PATCH) task spacings.
PATCH = 32

#: Distance unit between patches: two neighbours of a sunflower are at least 1.5 of it apart (tested).
PATCH_SPACING = 2 * (math.sqrt(PATCH) + 1) / 1.5

#: Attempts stay this close to their task, in task spacings; tasks are at least 1.5 apart.
REACH = 0.7


class Layout:
    """Gives out places. Nodes have to be added in the same order to get the same ones."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self._patches: dict[str, tuple[int, int]] = {}  # topic -> number of its open patch, tasks in it
        self._patch_count = 0
        self._attempts: dict[str, int] = {}  # task -> attempts placed

    def add_task(self, task_id: str, topic: str) -> int:
        """Returns the number of its patch; patches lie at `patch_place`."""
        number, taken = self._patches.get(topic, (-1, PATCH))
        if taken == PATCH:
            number, taken = self._patch_count, 0
            self._patch_count += 1
        self._patches[topic] = (number, taken + 1)
        self.positions[task_id] = _moved(patch_place(number), sunflower(taken))
        return number

    def add_attempt(self, attempt_id: str, task_id: str) -> None:
        count = self._attempts.get(task_id, 0)
        self._attempts[task_id] = count + 1
        self.positions[attempt_id] = attempt_place(self.positions[task_id], count)


def attempt_place(task: Position, count: int) -> Position:
    """Of the attempt on a task there that has `count` before it."""
    # From a third of the reach outwards, closer to REACH with every attempt and never beyond.
    radius = REACH * (1 - (2 / 3) / math.sqrt(1 + count / 8))
    angle = count * GOLDEN_ANGLE
    return _moved(task, (radius * math.cos(angle), radius * math.sin(angle)))


def patch_place(number: int) -> Position:
    """The middle of a patch."""
    return sunflower(number, PATCH_SPACING)


def sunflower(index: int, spacing: float = 1.0) -> Position:
    """The point with this index (0, 1, ...) of a sunflower around the origin."""
    radius, angle = spacing * math.sqrt(index + 0.5), index * GOLDEN_ANGLE
    return radius * math.cos(angle), radius * math.sin(angle)


def _moved(place: Position, by: Position) -> Position:
    return place[0] + by[0], place[1] + by[1]
