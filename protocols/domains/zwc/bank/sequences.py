"""One list to a list: running results, order, repetition, neighbours."""

from protocols.domains.zwc.bank.recipe import row, tables

RECIPES = [
    row(
        "cumsum",
        "reals",
        "the running total after each of {them}; the cumulative sums of {them}; "
        "the running sums of {them}; the total up to and including each of {them}; "
        "the accumulated sum at each of {them}; how the sum of {them} grows, step by step; "
        "what {them} have added up to so far, entry by entry; at each of {them} the total until there; "
        "the sum so far, after each of {them}; a list of totals that grows with each of {them}",
        "the total so far at each of {them}; the running totals over {them}",
        least=0,
    ),
    row(
        "cumprod",
        "factors",
        "the running product after each of {them}; the cumulative products of {them}; "
        "the product up to and including each of {them}; "
        "how the product of {them} grows, step by step; the accumulated product at each of {them}",
        "the product so far at each of {them}; the running products over {them}",
        least=0,
    ),
    row(
        "sort",
        "reals",
        "{them} sorted from smallest to largest; {them} in increasing order; "
        "{them} in ascending order; {them} ordered from low to high; "
        "{them} arranged so that the smallest comes first; {them} put into rising order; "
        "{them} in order of size; {them} in order, from the smallest on; "
        "{them} in upward order, lowest first",
        "{them} ordered upwards; {them} put in order, smallest first",
        least=0,
    ),
    row(
        "argsort",
        "reals",
        "the positions that would sort {them}; the indices that put {them} in increasing order; "
        "the indices of {them} from smallest to largest; "
        "the positions of {them} ordered by value, smallest value first; "
        "in which order to visit the places of {them} so that they rise; "
        "the ranking order of {them} as a list of positions; "
        "the places of {them}, sorted by what stands there",
        "the order of positions from the smallest to the largest of {them}; the sorting indices of {them}",
        least=0,
    ),
    row(
        "unique",
        "counts",
        "the distinct values among {them}, sorted; {them} without repeats, in increasing order; "
        "the sorted different values of {them}; every different value of {them} only once, sorted; "
        "{them} with duplicates dropped, in order; the set of values that occur in {them}, sorted; "
        "the values of {them}, each listed only once; the unique ones of {them} in order; "
        "each different one of {them} a single time, in order",
        "each value of {them} once, in order; the sorted unique values of {them}",
        least=0,
    ),
    row(
        "diff",
        "reals",
        "the differences between neighbouring {them}; the change from each of {them} to the next; "
        "the step from one to the next of {them}; "
        "how far each of {them} lies above the one before it; each of {them} minus its predecessor; "
        "by how much {them} rise from one entry to the next; the gaps between successive {them}; "
        "how much more each of {them} is than its predecessor; "
        "the amount by which each of {them} exceeds the previous one; "
        "how far each of {them} exceeds its predecessor; the differences of {them}, one after the other",
        "how much each of {them} exceeds the one before; the consecutive differences of {them}",
    ),
    row(
        "flip",
        "reals",
        "{them} in reverse order; {them} from last to first; {them} reversed; "
        "{them} the other way round; {them} starting from the last; {them} in the opposite order; "
        "{them} in backward order; {them} with the last first and the first last",
        "{them} backwards; {them} with the last one first",
        least=0,
    ),
    row(
        "gradient",
        "reals",
        "the slope at each of {them}, by central differences; the gradient of {them} at unit spacing",
        "how steeply {them} change at every point, by differences of the neighbours",
        least=2,
    ),
    row(
        "flatnonzero",
        "sparse",
        "the positions of the nonzero entries of {them}; the indices at which {them} are not zero",
        "where in the list {them} differ from zero, as positions",
        least=0,
    ),
    row(
        "bincount",
        "codes",
        "how often each of 0, 1, 2 and so on occurs among {them}; "
        "the number of times that every integer from 0 "
        "occurs in {them}",
        "for 0, 1, 2 and so on the count of {them} that equal it",
        least=0,
    ),
    row(
        "trim_zeros",
        "padded",
        "{them} without the zeros at both ends; {them} after dropping leading and trailing zeros",
        "{them}, the zeros at the start and the end removed",
    ),
    row(
        "roll",
        "reals k=shift",
        "{them} shifted by `{k}` places, wrapping around; {them} rotated by `{k}` positions",
        "{them} moved on by `{k}` places in a circle",
        extra="a number of places `{k}`",
    ),
    row(
        "repeat",
        "reals k=times",
        "each of {them} repeated `{k}` times in a row; {them} with every one written `{k}` times",
        "a list where every one of {them} stands `{k}` times in succession",
        extra="a number of times `{k}`",
    ),
    row(
        "tile",
        "reals k=times",
        "the whole list of {them} repeated `{k}` times; "
        "`{k}` copies of the list of {them}, one after another",
        "the list of {them} as a whole, `{k}` times over",
        extra="a number of times `{k}`",
    ),
    row(
        "take",
        "reals i=indices",
        "{them} at the positions `{i}`; the entries of {them} with the indices `{i}`",
        "those of {them} that stand at the places `{i}`, in that order",
        extra="positions `{i}`",
    ),
    row(
        "delete",
        "reals i=index",
        "{them} without the one at position `{i}`; {them} after removing index `{i}`",
        "what remains of {them} when position `{i}` is taken out",
        extra="a position `{i}`",
    ),
    row(
        "insert",
        "reals i=index v=number",
        "{them} with `{v}` put in before position `{i}`; {them} after inserting `{v}` at index `{i}`",
        "{them} with the new entry `{v}` at place `{i}`",
        extra="a position `{i}` and a number `{v}`",
    ),
    row(
        "append",
        "reals v=number",
        "{them} with `{v}` added at the end; {them} followed by `{v}`",
        "{them} and then `{v}` as the last entry",
        extra="a number `{v}`",
        least=0,
    ),
    row(
        "compress",
        "reals mask=mask",
        "only {them} for which `{mask}` is true; {them} selected by the truth values `{mask}`",
        "those of {them} that `{mask}` marks as true",
        how="{mask}, {x}",
        extra="a list of truth values `{mask}`",
    ),
    row(
        "searchsorted",
        "ordered v=number",
        "the position where `{v}` has to go to keep {them} sorted; "
        "the index at which `{v}` fits into {them} in order",
        "at which place `{v}` belongs among {them}, which are in order",
        extra="a number `{v}`",
        least=4,
    ),
    row(
        "histogram",
        "reals n=times",
        "how many of {them} fall into each of `{n}` equal bins, and the bin edges; "
        "the histogram of {them} with `{n}` "
        "bins, as counts and edges",
        "the counts of {them} in `{n}` equally wide intervals, and the interval borders",
        extra="a number of bins `{n}`",
    ),
    row(
        "cumsum",
        "tables",
        "the running total through all of `{x}`, row by row; "
        "the running sums over all entries of `{x}` as one list; "
        "at each cell of `{x}` the total until there, going row by row",
        "the total so far at each entry of `{x}`, read row by row",
    ),
    row(
        "cumprod",
        "tables",
        "the running product through all of `{x}`, row by row; "
        "the running products over all entries of `{x}` as one list",
        "the product so far at each entry of `{x}`, read row by row",
    ),
    *tables("cumsum", "running total", whole=False),
    *tables("cumprod", "running product", whole=False),
    row(
        "sort",
        "tables",
        "`{x}` with each row sorted from smallest to largest; `{x}` with every row in increasing order; "
        "every row of `{x}` arranged so that its smallest entry comes first",
        "each row of `{x}` put in order, smallest first",
    ),
    row(
        "argsort",
        "tables",
        "for each row of `{x}` the positions that would sort it; "
        "the sorting indices within each row of `{x}`",
        "the positions from smallest to largest for every row of `{x}`",
    ),
    row(
        "diff",
        "tables",
        "the differences between neighbours within each row of `{x}`; "
        "for each row of `{x}` the steps to the next entry; "
        "within each row of `{x}`, the amount by which an entry exceeds its predecessor",
        "how much each entry exceeds the one before it in every row of `{x}`",
    ),
    row(
        "unique",
        "whole_tables",
        "the distinct values anywhere in `{x}`, sorted; every value of `{x}` once, in increasing order; "
        "the unique values that occur in all of `{x}`, in order",
        "the sorted unique entries of the whole of `{x}`",
    ),
]
