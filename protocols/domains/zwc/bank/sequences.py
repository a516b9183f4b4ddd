"""One list to a list: running results, order, repetition, neighbours."""

from protocols.domains.zwc.bank.recipe import each, row

RECIPES = [
    row(
        "cumsum",
        "reals",
        "the running total after each of {them}; the cumulative sums of {them}; the running sums of {them}",
        "the total so far at each of {them}; the running totals over {them}",
        least=0,
    ),
    row(
        "cumprod",
        "factors",
        "the running product after each of {them}; the cumulative products of {them}",
        "the product so far at each of {them}; the running products over {them}",
        least=0,
    ),
    row(
        "sort",
        "reals",
        "{them} sorted from smallest to largest; {them} in increasing order; {them} in ascending order",
        "{them} ordered upwards; {them} put in order, smallest first",
        least=0,
    ),
    row(
        "argsort",
        "reals",
        "the positions that would sort {them}; the indices that put {them} in increasing order; "
        "the indices of {them} from smallest to largest",
        "the order of positions from the smallest to the largest of {them}; the sorting indices of {them}",
        least=0,
    ),
    row(
        "unique",
        "counts",
        "the distinct values among {them}, sorted; {them} without repeats, in increasing order; "
        "the sorted different values of {them}",
        "each value of {them} once, in order; the sorted unique values of {them}",
        least=0,
    ),
    row(
        "diff",
        "reals",
        "the differences between neighbouring {them}; the change from each of {them} to the next; "
        "the step from one to the next of {them}",
        "how much each of {them} exceeds the one before; the consecutive differences of {them}",
    ),
    row(
        "flip",
        "reals",
        "{them} in reverse order; {them} from last to first; {them} reversed",
        "{them} backwards; {them} with the last one first",
        least=0,
    ),
    each("sqrt", "positives", "square root"),
]
