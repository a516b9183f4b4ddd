"""All recipes, by the function they are about."""

from types import ModuleType

from protocols.domains.zwc.bank import (
    axes,
    choosing,
    conversions,
    decompositions,
    elementwise,
    filling,
    making,
    matrices,
    numbers,
    pairs,
    polynomials,
    reductions,
    sequences,
)
from protocols.domains.zwc.bank.aliases import taken_over
from protocols.domains.zwc.bank.recipe import Recipe
from protocols.domains.zwc.functions import NAMES

#: In the order in which a function's recipes come.
_FAMILIES: tuple[ModuleType, ...] = (
    reductions,
    sequences,
    elementwise,
    pairs,
    polynomials,
    making,
    matrices,
    conversions,
    filling,
    choosing,
    axes,
    numbers,
    decompositions,
)


def _recipes() -> dict[str, list[Recipe]]:
    found: dict[str, list[Recipe]] = {name: [] for name in NAMES}
    for family in _FAMILIES:
        for recipe in family.RECIPES:
            found[recipe.name].append(recipe)
    for recipe in taken_over(found):
        found[recipe.name].append(recipe)
    return found


#: Recipes by original name, the plainest first.
RECIPES = _recipes()


def recipe_at(name: str, position: int) -> Recipe:
    """The recipe of a function's task number `position`. Each further recipe is three times rarer."""
    rank, number = 0, position + 1
    while number % 3 == 0:
        rank, number = rank + 1, number // 3
    return RECIPES[name][min(rank, len(RECIPES[name]) - 1)]
