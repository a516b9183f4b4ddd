"""The task bank: tasks about functions of NumPy, made from recipes, scenarios and sentence frames.

`build_tasks`, `leads` and `demonstrations` are all that others need. Recipes are tables, one file a family.
"""

from protocols.domains.zwc.bank.build import build_tasks, demonstrations, leads
from protocols.domains.zwc.functions import NAMES

__all__ = ["NAMES", "build_tasks", "demonstrations", "leads"]
