"""One list or table to one number: totals, averages, spreads, extremes and their places."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "mean",
        "reals",
        "the average of {them}; the arithmetic mean of {them}; the average value of {them}",
        "the mean of {them}; what {them} are on average",
    ),
    row(
        "median",
        "reals",
        "the median of {them}; the middle value of {them} in order of size; the median value of {them}",
        "the middle one of {them} by size; the median among {them}",
    ),
    row(
        "std",
        "reals",
        "the population standard deviation of {them}; the standard deviation of {them}",
        "how far {them} spread, as the standard deviation; the standard deviation among {them}",
    ),
    row(
        "ptp",
        "reals",
        "the range of {them}; the gap between the largest and the smallest of {them}; "
        "the difference of the highest and the lowest of {them}",
        "how far the highest of {them} lies above the lowest; the spread from smallest to largest of {them}",
    ),
    row(
        "sum",
        "reals",
        "the total of {them}; the sum of {them}; all {them} added up",
        "the sum over {them}; what {them} add up to in total",
        least=0,
    ),
    row(
        "prod",
        "factors",
        "the product of {them}; all {them} multiplied together; the total product of {them}",
        "what {them} multiply to; the product over {them}",
        least=0,
    ),
    row(
        "max",
        "reals",
        "the largest of {them}; the highest value among {them}; the maximum of {them}",
        "the highest of {them}; the biggest value among {them}",
    ),
    row(
        "min",
        "reals",
        "the smallest of {them}; the lowest value among {them}; the minimum of {them}",
        "the lowest of {them}; the least value among {them}",
    ),
    row(
        "argmax",
        "reals",
        "the position of the largest of {them}; the index of the highest of {them}; "
        "at which index {them} have their maximum",
        "the index where {them} are largest; the position of the maximum among {them}",
    ),
    row(
        "argmin",
        "reals",
        "the position of the smallest of {them}; the index of the lowest of {them}; "
        "at which index {them} have their minimum",
        "the index where {them} are smallest; the position of the minimum among {them}",
    ),
]
