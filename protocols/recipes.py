"""Recipes: how verified experience becomes a weight update, as data.

A recipe says which answers count and which book was, or is, open. `closed-sft` is the heart of the
system: the answer that was generated with the documentation is learned on the prompt without it.

Does not cover: how an algorithm computes its update (`actors.learning`), nor how experience is chosen
among the answers that count (the curator).
"""

import difflib
from typing import Any, Literal

import msgspec

from protocols.errors import SettingError
from protocols.records import Book, Origin, Record, Role, Task


class Recipe(Record):
    name: str
    algorithm: Literal["sft", "grpo"]
    book_at_rollout: Book
    book_at_update: Book
    origins: tuple[Origin, ...] = tuple(Origin)  # whose tasks' answers count
    roles: tuple[Role, ...] = (Role.SOLVER,)  # whose samples are learned
    grpo: dict[str, Any] = msgspec.field(default_factory=dict)  # its own defaults of `learner.grpo`
    proposer: dict[str, Any] = msgspec.field(default_factory=dict)  # its own defaults of `proposer`
    buffer: dict[str, Any] = msgspec.field(default_factory=dict)  # its own defaults of `curator.buffer`
    chain: dict[str, Any] = msgspec.field(default_factory=dict)  # its own defaults of `solver.chain`

    def counts(self, task: Task) -> bool:
        """Whether verified answers to this task are experience."""
        return task.origin in self.origins


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="closed-sft",
            algorithm="sft",
            book_at_rollout=Book.OPEN,
            book_at_update=Book.CLOSED,
        ),
        Recipe(
            name="open-sft",
            algorithm="sft",
            book_at_rollout=Book.OPEN,
            book_at_update=Book.OPEN,
        ),
        Recipe(
            name="selfplay-sft",
            algorithm="sft",
            book_at_rollout=Book.OPEN,
            book_at_update=Book.CLOSED,
            origins=(Origin.PROPOSED,),
        ),
        # SE-Bench's two ways of reinforcement learning. Two mini-batches a step, documentation in both;
        # or one, its ratio taken on the prompt without documentation, where it is 1 and nothing is clipped.
        Recipe(
            name="open-rl",
            algorithm="grpo",
            book_at_rollout=Book.OPEN,
            book_at_update=Book.OPEN,
            grpo={"mini_batches": 2},
        ),
        Recipe(
            name="closed-rl",
            algorithm="grpo",
            book_at_rollout=Book.OPEN,
            book_at_update=Book.CLOSED,
            grpo={"mini_batches": 1, "denominator": "recomputed"},
        ),
        Recipe(
            name="selfplay-rl",
            algorithm="grpo",
            book_at_rollout=Book.OPEN,
            book_at_update=Book.CLOSED,
            origins=(Origin.PROPOSED,),
            grpo={"mini_batches": 1, "denominator": "recomputed"},
        ),
        # One policy proposes and solves, and learns both, each against a baseline of its own: Absolute Zero
        # (arXiv 2505.03335), sections 3.1 and 3.3. A proposal is learned on the prompt it was asked with.
        Recipe(
            name="absolute-zero",
            algorithm="grpo",
            book_at_rollout=Book.OPEN,
            book_at_update=Book.CLOSED,
            origins=(Origin.PROPOSED,),
            roles=(Role.PROPOSER, Role.SOLVER),
            grpo={"mini_batches": 1, "denominator": "recomputed", "baseline": "batch"},
            proposer={"reward": "one_minus_p"},
        ),
        # Exploratory Iteration (arXiv 2509.04575), pages 6 and 7: each adds one thing to the one before.
        # Numbers are those of the paper's Table 4 (mathematics).
        *(
            Recipe(
                name=name,
                algorithm="grpo",
                book_at_rollout=Book.CLOSED,
                book_at_update=Book.CLOSED,
                grpo={"aggregation": "sequence_mean"} | grpo,
                buffer=buffer,
                chain=chain,
            )
            for name, buffer, grpo, chain in (
                ("grpo", {}, {}, {}),
                ("exit-curriculum", {"p": 0.5, "revise": False}, {}, {}),
                ("exit-improve", {"p": 0.5, "diverge": 0.0}, {}, {}),
                ("exit-diverge", {"p": 0.5, "diverge": 0.2}, {}, {}),
                ("exit", {"p": 0.5, "diverge": 0.2}, {"diversity": "printed"}, {}),
                # What the paper argues against (page 2) and does not run: several steps at once. Their number
                # is ours; the second is SCoRe's second stage (arXiv 2409.12917), without its first.
                ("naive-k", {}, {}, {"answers": 4, "drawn": True}),
                ("two-attempts", {}, {}, {"answers": 2, "bonus": 10.0}),
            )
        ),
    )
}


def recipe(name: str) -> Recipe:
    """The named recipe.

    Raises:
        SettingError: there is none of that name; the message lists those there are.
    """
    try:
        return RECIPES[name]
    except KeyError:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise SettingError(
            f"Unknown recipe '{name}' (learner.recipe); {hint}there are: {', '.join(sorted(RECIPES))}."
        ) from None
