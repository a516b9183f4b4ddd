"""New arrays from a few numbers, and lists laid out in another shape."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "linspace",
        "ends2 n=size",
        "`{n}` evenly spaced numbers from `{x}` to `{y}`, both included; "
        "`{n}` equally distant points between `{x}` and "
        "`{y}` with both ends",
        "`{n}` points at equal distances, the first at `{x}` and the last at `{y}`",
        extra="a number of points `{n}`",
    ),
    row(
        "geomspace",
        "positive_ends2 n=size",
        "`{n}` numbers from `{x}` to `{y}`, each the same multiple of the one before; "
        "`{n}` geometrically spaced numbers "
        "from `{x}` to `{y}`",
        "`{n}` numbers that grow by a constant factor, from `{x}` up to `{y}`",
        extra="a number of points `{n}`",
    ),
    row(
        "arange",
        "ends2 s=stride",
        "the numbers from `{x}` in steps of `{s}`, stopping before `{y}`; "
        "every `{s}`-th number from `{x}` up to but "
        "without `{y}`",
        "`{x}`, then always `{s}` more, as long as it stays below `{y}`",
        extra="a step `{s}`",
    ),
    row(
        "full",
        "sizes v=number",
        "a list of length `{x}` that holds `{v}` everywhere; `{x}` copies of `{v}` in a list",
        "a list of `{x}` entries, all of them `{v}`",
        extra="a number `{v}`",
    ),
    row(
        "eye",
        "sizes",
        "the identity matrix with `{x}` rows; "
        "the `{x}` by `{x}` matrix with ones on the diagonal and zeros elsewhere",
        "a unit matrix of size `{x}`",
    ),
    row(
        "tri",
        "sizes",
        "the `{x}` by `{x}` matrix with ones on and below the diagonal and zeros above; "
        "the lower triangle of ones with "
        "`{x}` rows",
        "a square matrix of size `{x}`, 0 above the diagonal and 1 everywhere else",
    ),
    row(
        "diag",
        "wholes",
        "the square matrix with {them} on its diagonal and zeros elsewhere; a diagonal matrix of {them}",
        "a matrix that has {them} along the diagonal, else only zeros",
    ),
    row(
        "pad",
        "reals k=times",
        "{them} with `{k}` zeros added before and after; {them} with `{k}` extra zeros at both ends",
        "{them} enclosed by `{k}` zeros on either side",
        extra="a number of zeros `{k}`",
        least=0,
    ),
    row(
        "resize",
        "reals n=size",
        "{them} cut or repeated from the start to fill exactly `{n}` places; "
        "exactly `{n}` entries, going through {them} "
        "again and again",
        "a list of length `{n}` that cycles through {them}",
        extra="a length `{n}`",
    ),
    row(
        "reshape",
        "composite r=divisor",
        "{them} laid out row by row as a table with `{r}` rows; "
        "a table of `{r}` rows filled with {them} in order",
        "{them} arranged in `{r}` rows of equal length",
        how="{x}, ({r}, -1)",
        extra="a number of rows `{r}`",
    ),
    row(
        "array_split",
        "reals n=times",
        "{them} cut into `{n}` consecutive parts of nearly equal length; "
        "a list of `{n}` pieces of {them}, in order and "
        "as equal in length as possible",
        "{them} divided among `{n}` groups in order, sizes differing by at most one",
        extra="a number of parts `{n}`",
        least=2,
    ),
]
