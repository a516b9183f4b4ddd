"""What functions can be composed, and the words for each when its argument is itself a result.

A stage's phrase follows nested: "the average of" + "the differences between neighbours of" + "the prices".
"""

from dataclasses import dataclass

from protocols.records import Split


@dataclass(frozen=True)
class Stage:
    name: str  # original dotted name
    train: str
    test: str
    kind: str = "reals"  # of data that it needs (`kinds.KINDS`), if it stands innermost or not

    def phrase(self, split: Split) -> str:
        return self.train if split is Split.TRAIN else self.test


def _stages(*rows: tuple[str, ...]) -> dict[str, Stage]:
    return {r[0]: Stage(*r) for r in rows}


#: A list to a list.
MAPS = _stages(
    ("cumsum", "the running totals of {0}", "the sums so far of {0}"),
    ("cumprod", "the running products of {0}", "the products so far of {0}", "factors"),
    ("sort", "the sorted list of {0}", "the ascending list of {0}"),
    ("argsort", "the positions that sort {0}", "the sorting indices of {0}"),
    ("unique", "the distinct values among {0}", "the unique values of {0}", "counts"),
    ("diff", "the differences between neighbours of {0}", "the consecutive differences of {0}"),
    ("flip", "the reverse order of {0}", "the backward list of {0}"),
    ("sqrt", "the square roots of {0}", "the roots (square) of {0}", "positives"),
    ("square", "the squares of {0}", "the squared values of {0}"),
    ("absolute", "the absolute values of {0}", "the sizes without sign of {0}"),
    ("sign", "the signs (-1, 0 or 1) of {0}", "the values -1, 0 or 1 by the signs of {0}"),
    ("floor", "the rounded-down values of {0}", "the whole numbers just below {0}", "decimals"),
    ("ceil", "the rounded-up values of {0}", "the whole numbers just above {0}", "decimals"),
    ("trunc", "the values cut after the decimal point of {0}", "the whole parts of {0}", "decimals"),
    ("log", "the natural logarithms of {0}", "the base-e logarithms of {0}", "positives"),
    ("log2", "the base-2 logarithms of {0}", "the logarithms to base 2 of {0}", "positives"),
    ("log10", "the base-10 logarithms of {0}", "the logarithms to base 10 of {0}", "positives"),
    ("exp", "the exponentials (e to the power) of {0}", "the powers of e with exponents {0}", "small"),
    ("cbrt", "the cube roots of {0}", "the third roots of {0}"),
    ("gradient", "the slopes (by central differences) along {0}", "the gradient along {0}"),
)

#: A list to a number.
REDUCTIONS = _stages(
    ("mean", "the average of {0}", "the mean of {0}"),
    ("median", "the median of {0}", "the middle value by size of {0}"),
    ("sum", "the total of {0}", "the sum over {0}"),
    ("prod", "the product of {0}", "the result of multiplying all of {0}", "factors"),
    ("max", "the largest of {0}", "the highest among {0}"),
    ("min", "the smallest of {0}", "the lowest among {0}"),
    ("ptp", "the range (largest minus smallest) of {0}", "the gap from smallest to largest of {0}"),
    ("argmax", "the position of the largest of {0}", "the index of the highest among {0}"),
    ("argmin", "the position of the smallest of {0}", "the index of the lowest among {0}"),
    ("std", "the population standard deviation of {0}", "the standard deviation as a population of {0}"),
    ("var", "the population variance of {0}", "the variance as a population of {0}"),
    (
        "count_nonzero",
        "the number of nonzero entries of {0}",
        "the count of entries not zero of {0}",
        "sparse",
    ),
    ("trapezoid", "the trapezoid-rule integral of {0}", "the area by trapezoids under {0}"),
    ("linalg.norm", "the Euclidean length of {0}", "the vector length of {0}"),
)

#: Two numbers to a number.
JOINS = _stages(
    ("subtract", "{0} minus {1}", "what is left of {0} after taking away {1}"),
    ("add", "the sum of {0} and {1}", "{0} plus {1}"),
    ("multiply", "the product of {0} and {1}", "{0} times {1}"),
    ("divide", "{0} divided by {1}", "the quotient of {0} by {1}"),
    ("maximum", "the larger of {0} and {1}", "whichever is greater, {0} or {1}"),
    ("minimum", "the smaller of {0} and {1}", "whichever is less, {0} or {1}"),
)

#: Two lists to a list, entry by entry; {0} and {1} are parameters.
PAIRS = _stages(
    ("subtract", "the values of `{0}` minus `{1}`", "the entries of `{0}` less those of `{1}`", "reals2"),
    ("add", "the pairwise sums of `{0}` and `{1}`", "the entries of `{0}` plus those of `{1}`", "reals2"),
    (
        "multiply",
        "the pairwise products of `{0}` and `{1}`",
        "the entries of `{0}` times those of `{1}`",
        "reals2",
    ),
    ("divide", "the values of `{0}` divided by `{1}`", "the quotients of `{0}` by `{1}`", "nonzero2"),
    (
        "maximum",
        "the larger ones of each pair in `{0}` and `{1}`",
        "the pairwise greater of `{0}` and `{1}`",
        "reals2",
    ),
    (
        "minimum",
        "the smaller ones of each pair in `{0}` and `{1}`",
        "the pairwise lesser of `{0}` and `{1}`",
        "reals2",
    ),
    (
        "hypot",
        "the hypotenuses for legs `{0}` and `{1}`",
        "the long sides of triangles with legs `{0}`, `{1}`",
        "positives2",
    ),
)
