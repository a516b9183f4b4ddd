"""Settings of the curator: what is kept, what is started from, what is learned."""

from typing import Literal

from pydantic import Field, model_validator

from protocols.errors import SettingError
from protocols.section import Section


class BufferSettings(Section):
    """Starts kept for further iteration: Exploratory Iteration (arXiv 2509.04575)."""

    size: int = Field(256, ge=1, le=1_000_000)
    """Starts kept at most, those with the highest learnability."""
    least: int = Field(1, ge=1)
    """Starts that have to be there before any is drawn."""
    p: float = Field(0.0, ge=0, le=1)
    """Chance that a start is drawn from the buffer instead of from the tasks; 0 = there is no buffer."""
    kappa: float = Field(4.0, ge=0)
    """Inverse temperature of the softmax over learnability (not given in the paper)."""
    children: Literal["none", "best", "random", "all"] = "best"
    """Answers of a group that are gone on from (not given in the paper); none: starts are only replayed."""
    revise: bool = True
    """Going on is to answer a turn once more; otherwise to play the next one, in plays of several turns."""
    diverge: float = Field(0.2, ge=0, le=1)
    """Chance that a step which goes on from an answer is to diverge instead of to improve."""
    rank: float | None = Field(None, ge=0, le=100)
    """Draw by rank instead of score, in proportion to rank to the power of minus this; null = by score."""
    staleness: float = Field(0.0, ge=0, le=1)
    """Share of draws by how long a start has waited (Prioritized Level Replay, arXiv 2010.03934)."""
    robust: bool = False
    """Learn only from starts that were drawn from the buffer; what is played for the first time only fills it
    (robust PLR, arXiv 2110.02439)."""

    @model_validator(mode="after")
    def _fills(self) -> "BufferSettings":
        if self.least > self.size:
            raise SettingError(
                f"setting curator.buffer.least: {self.least} starts never fit into curator.buffer.size="
                f"{self.size}; lower least or raise size"
            )
        return self


class CuratorSettings(Section):
    per_task_cap: int = Field(4, ge=1, le=1024)
    """Verified answers kept for learning from one task."""
    distinct: bool = True
    """Answers to a task that repeat another one's code are left out."""
    proposed_share: float = Field(0.5, ge=0, le=1)
    """Largest share of a round's starts taken by proposed tasks."""
    duplicate_similarity: float | None = Field(None, gt=0, le=1)
    """Proposals whose statement is at least this similar to another one of its topic are duplicates by
    meaning; 0.8 is a careful start (`actors.similarity`). null = only the same words are duplicates."""
    experience: Literal["auto", "all", "round"] = "auto"
    """Learn from the answers of the whole run so far, or of this round only; auto: all of them in SFT, and in
    RL, which compares groups under the policy that played them, those of the round."""
    base_tasks: tuple[str, ...] = ()
    """Ids of the only base tasks that are trained on, e.g. a single one; () = all of the training split."""
    source: str | None = None
    """Run whose collected groups are learned from, so that methods can be compared on one experience; nothing
    is proposed or played here. Its folder, or its name where it lies beside this run."""
    source_rounds: int = Field(1, ge=0)
    """Rounds that the source's groups are spread over, evenly; 0 = each in the round in which it was played
    there, with revisions and proposals, as `taskspace relearn` has it."""
    source_where: str | None = None
    """Which attempts of the source there are at all here: a condition on its view `episodes`, or a SELECT of
    ids (docs/counterfactual.md). null = all."""
    source_share: float = Field(1.0, gt=0, le=1)
    """Share of the source's groups, the earliest."""
    buffer: BufferSettings = BufferSettings()
