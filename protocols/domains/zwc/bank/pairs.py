"""Two lists, entry by entry or as a whole: arithmetic, comparison, logic, bits, products, sets."""

from protocols.domains.zwc.bank.recipe import both, row

RECIPES = [
    both("add", "reals2", "the sum of `{x}` and `{y}`"),
    both("subtract", "reals2", "`{x}` minus `{y}`"),
    both("multiply", "reals2", "the product of `{x}` and `{y}`"),
    both("divide", "nonzero2", "`{x}` divided by `{y}`"),
    both("power", "powers2", "`{x}` raised to the power of `{y}`"),
    both("mod", "wholes2", "the never negative remainder of `{x}` divided by `{y}`; `{x}` modulo `{y}`"),
    both("fmod", "wholes2", "the remainder of `{x}` divided by `{y}` that has the sign of `{x}`"),
    both("floor_divide", "wholes2", "`{x}` divided by `{y}` and rounded down"),
    both(
        "divmod",
        "wholes2",
        "the quotient rounded down and, as a second list, the remainder of `{x}` by `{y}`",
    ),
    both("maximum", "reals2", "the larger of `{x}` and `{y}`"),
    both("minimum", "reals2", "the smaller of `{x}` and `{y}`"),
    both("gcd", "naturals2", "the greatest common divisor of `{x}` and `{y}`"),
    both("lcm", "naturals2", "the least common multiple of `{x}` and `{y}`"),
    both("hypot", "positives2", "the hypotenuse of the right triangle with legs `{x}` and `{y}`"),
    both("arctan2", "signs2", "the angle in radians of the point at height `{x}` and horizontal place `{y}`"),
    both("copysign", "signs2", "the size of `{x}` with the sign of `{y}`"),
    both("logaddexp", "small2", "the logarithm of the sum of the exponentials of `{x}` and `{y}`"),
    both("equal", "ties2", "whether `{x}` equals `{y}`"),
    both("not_equal", "ties2", "whether `{x}` differs from `{y}`"),
    both("greater", "ties2", "whether `{x}` is greater than `{y}`"),
    both("greater_equal", "ties2", "whether `{x}` is greater than or equal to `{y}`"),
    both("less", "ties2", "whether `{x}` is less than `{y}`"),
    both("less_equal", "ties2", "whether `{x}` is less than or equal to `{y}`"),
    both("logical_and", "flags2", "whether both `{x}` and `{y}` are true"),
    both("logical_or", "flags2", "whether `{x}` or `{y}` or both are true"),
    both("logical_xor", "flags2", "whether exactly one of `{x}` and `{y}` is true"),
    both("isclose", "similar2", "whether `{x}` and `{y}` are equal up to rounding errors"),
    both(
        "bitwise_and",
        "bits2",
        "the number made of the bits set in both `{x}` and `{y}`; the bitwise and of `{x}` and `{y}`",
    ),
    both(
        "bitwise_or",
        "bits2",
        "the number made of the bits set in `{x}` or `{y}`; the bitwise or of `{x}` and `{y}`",
    ),
    both(
        "bitwise_xor",
        "bits2",
        "the number made of the bits set in only one of `{x}` and `{y}`; "
        "the bitwise exclusive or of `{x}` and `{y}`",
    ),
    row(
        "where",
        "reals2 mask=mask",
        "the entry of `{x}` where `{mask}` is true, else that of `{y}`; "
        "a mix of `{x}` (where `{mask}` is true) and `{y}`",
        "for each place `{x}` if `{mask}` says true, otherwise `{y}`; "
        "`{x}` or `{y}`, as `{mask}` decides at each place",
        how="{mask}, {x}, {y}",
        extra="a list of truth values `{mask}`",
    ),
    row(
        "allclose",
        "similar2",
        "whether `{x}` and `{y}` agree everywhere up to rounding errors; "
        "whether all of `{x}` is close to `{y}`",
        "true if `{x}` and `{y}` are nearly equal in every place, else false",
    ),
    row(
        "array_equal",
        "repeated2",
        "whether `{x}` and `{y}` have the same length and the same entries; "
        "whether `{x}` and `{y}` are identical",
        "true if `{x}` matches `{y}` exactly, entries and length, else false",
    ),
    row(
        "dot",
        "reals2",
        "the dot product of `{x}` and `{y}`; the sum of the products of matching entries of `{x}` and `{y}`; "
        "the scalar product of `{x}` and `{y}`",
        "the entries of `{x}` times those of `{y}`, all added up; the inner product of `{x}` and `{y}`",
    ),
    row(
        "outer",
        "lists2",
        "the table of all products of an entry of `{x}` with one of `{y}`; "
        "the outer product of `{x}` and `{y}`",
        "the multiplication table of `{x}` (rows) and `{y}` (columns)",
    ),
    row(
        "convolve",
        "lists2",
        "the convolution of `{x}` with `{y}`; the full discrete convolution of `{x}` and `{y}`",
        "what `{x}` convolved with `{y}` gives",
    ),
    row(
        "correlate",
        "lists2",
        "the cross-correlation of `{x}` and `{y}` where they overlap fully; "
        "the sliding dot products of the shorter along the longer of `{x}` and `{y}`",
        "how `{x}` correlates with `{y}` at each full overlap",
    ),
    row(
        "corrcoef",
        "reals2",
        "the correlation matrix of `{x}` and `{y}`; "
        "the 2 by 2 table of correlation coefficients of `{x}` and `{y}`",
        "the Pearson correlations between `{x}` and `{y}`, as a matrix",
        least=3,
    ),
    row(
        "cov",
        "reals2",
        "the covariance matrix of `{x}` and `{y}`; the 2 by 2 table of sample covariances of `{x}` and `{y}`",
        "how `{x}` and `{y}` vary together, as a matrix of covariances",
        least=2,
    ),
    row(
        "average",
        "weighted2",
        "the average of `{x}` weighted by `{y}`; the weighted mean of `{x}` with weights `{y}`",
        "the mean of `{x}` where each entry counts as much as `{y}` says",
        how="{x}, weights={y}",
    ),
    row(
        "union1d",
        "overlap2",
        "the sorted union of `{x}` and `{y}`; every value that is in `{x}` or in `{y}`, once and in order",
        "all different values of `{x}` and `{y}` together, sorted",
        least=0,
    ),
    row(
        "intersect1d",
        "overlap2",
        "the sorted values that `{x}` and `{y}` have in common; the intersection of `{x}` and `{y}`",
        "the values found in both `{x}` and `{y}`, once and in order",
        least=0,
    ),
    row(
        "setdiff1d",
        "overlap2",
        "the sorted values of `{x}` that are not in `{y}`; the set difference of `{x}` and `{y}`",
        "what is in `{x}` but missing from `{y}`, once and in order",
    ),
    row(
        "setxor1d",
        "overlap2",
        "the sorted values that are in exactly one of `{x}` and `{y}`; "
        "the symmetric difference of `{x}` and `{y}`",
        "the values that `{x}` and `{y}` do not share, in order",
    ),
    row(
        "concatenate",
        "lists2",
        "`{x}` followed by `{y}` as one list; `{x}` and `{y}` joined end to end",
        "one list with all of `{x}` and then all of `{y}`",
        how="[{x}, {y}]",
        least=0,
    ),
    row(
        "stack",
        "reals2",
        "a table with `{x}` as its first row and `{y}` as its second; "
        "`{x}` and `{y}` stacked as the rows of a table",
        "a two-row table, `{x}` above `{y}`",
        how="[{x}, {y}]",
    ),
    row(
        "column_stack",
        "reals2",
        "a table with `{x}` as its first column and `{y}` as its second; "
        "`{x}` and `{y}` as the columns of a table",
        "a two-column table, `{x}` to the left of `{y}`",
        how="[{x}, {y}]",
    ),
    row(
        "lexsort",
        "ties2",
        "the positions in order of `{y}`, with equal ones in order of `{x}`; "
        "the indices that sort by `{y}` first and then by `{x}`",
        "the sorting positions by `{y}`, where `{x}` decides between equals",
        how="({x}, {y})",
        least=2,
    ),
    row(
        "interp",
        "curve2 p=points",
        "the heights at the places `{p}`, on straight lines between the points; "
        "the linear interpolation at `{p}` of the curve through the points",
        "what the curve reads at `{p}` if its points are joined by straight lines",
        how="{p}, {x}, {y}",
        extra="places `{p}`",
    ),
    row(
        "polyfit",
        "curve2",
        "slope and intercept of the line that fits the points best; "
        "the least-squares line through the points, "
        "as slope and intercept",
        "the best straight line for the points, as its slope and its value at 0",
        how="{x}, {y}, 1",
    ),
]
