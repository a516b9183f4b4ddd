"""Arrays of a given size or like another one, and arrays that are spread, laid out and put together."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "zeros",
        "grid2",
        "a table of zeros with `{x}` rows and `{y}` columns; `{x}` rows of `{y}` zeros each",
        "a table of that size with nothing but zeros; zeros in `{x}` rows and `{y}` columns",
        how="({x}, {y})",
    ),
    row(
        "ones",
        "grid2",
        "a table of ones with `{x}` rows and `{y}` columns; `{x}` rows of `{y}` ones each; only ones, in "
        "`{x}` rows and `{y}` columns",
        "a table of that size with nothing but ones; ones in `{x}` rows and `{y}` columns",
        how="({x}, {y})",
    ),
    row(
        "empty",
        "grid2 k=small",
        "a table with `{x}` rows and `{y}` columns, made without values and then filled with `{k}`; "
        "a fresh table of `{x}` rows and `{y}` columns, every place of it then set to `{k}`",
        "an unfilled table of that size, in which `{k}` is then written everywhere; "
        "`{x}` rows of `{y}` places, reserved first and then all set to `{k}`",
        extra="a number `{k}`",
        body="data = {f}(({x}, {y}))\n{copyto}(data, {k})\nreturn data",
    ),
    row(
        "zeros_like",
        "whole_tables",
        "a table of zeros with the shape of `{x}`; zeros in place of all entries of `{x}`",
        "`{x}` with a zero in each of its cells; as many zeros as `{x}` has cells, in the same layout",
    ),
    row(
        "ones_like",
        "tables",
        "a table of ones with the shape of `{x}`; ones in place of all entries of `{x}`; `{x}` with every "
        "entry set to 1",
        "`{x}` with a one in each of its cells; as many ones as `{x}` has cells, in the same layout",
    ),
    row(
        "full_like",
        "reals v=number",
        "a list as long as that of {them}, with `{v}` everywhere; `{v}` in place of each of {them}",
        "{them}, all overwritten by `{v}`; as many copies of `{v}` as there are entries in {them}",
        extra="a number `{v}`",
    ),
    row(
        "empty_like",
        "whole_tables k=small",
        "a table shaped like `{x}`, made without values and then filled with `{k}`; "
        "a fresh table of the shape of `{x}`, every place of it then set to `{k}`",
        "an unfilled table of the layout of `{x}`, in which `{k}` is then written everywhere; "
        "room for as many cells as `{x}` has, then all set to `{k}`",
        extra="a number `{k}`",
        body="data = {f}({x})\n{copyto}(data, {k})\nreturn data",
    ),
    row(
        "logspace",
        "exponents2 n=size",
        "`{n}` numbers from 10 to the power `{x}` to 10 to the power `{y}`, evenly spaced in their "
        "exponents; "
        "`{n}` powers of ten, with exponents evenly spaced from `{x}` to `{y}`",
        "`{n}` numbers on a logarithmic scale, from 10 to the `{x}` up to 10 to the `{y}`; "
        "10 raised to `{n}` evenly spaced exponents from `{x}` to `{y}`",
        extra="a number of points `{n}`",
    ),
    row(
        "diagflat",
        "tables",
        "a square matrix with all entries of `{x}`, row by row, on its diagonal; "
        "a diagonal matrix of the entries of `{x}` in reading order",
        "zeros in a square, but along the diagonal the entries of `{x}` row after row; "
        "a matrix that has all cells of `{x}` one after another on its diagonal",
    ),
    row(
        "block",
        "same2",
        "the block matrix with `{x}` and `{y}` above, `{y}` and `{x}` below; "
        "one matrix of four blocks: `{x}` beside `{y}`, and beneath them `{y}` beside `{x}`",
        "four blocks as one matrix, `{x}` top left and bottom right, `{y}` in the other corners; "
        "`{x}` next to `{y}` over `{y}` next to `{x}`, joined into one matrix",
        how="[[{x}, {y}], [{y}, {x}]]",
    ),
    row(
        "broadcast_to",
        "reals n=times",
        "a table with `{n}` rows that are all {them}; {them} stretched to `{n}` equal rows",
        "`{n}` rows, each of them a repetition of {them}; {them} spread over the rows of a table, `{n}` in "
        "all",
        how="{x}, ({n}, len({x}))",
        extra="a number of rows `{n}`",
    ),
    row(
        "broadcast_arrays",
        "row2",
        "two tables of the same shape: `{x}`, and `{y}` once for each row of `{x}`; "
        "`{x}` and `{y}` stretched to a common shape",
        "both as tables of equal size, with `{y}` repeated under itself to match `{x}`; "
        "`{x}` and a table of the same height whose rows are all `{y}`",
    ),
    row(
        "meshgrid",
        "lists2",
        "two tables of equal size, one with `{x}` in each row and one with `{y}` in each column; the "
        "coordinates of all grid points over `{x}` and `{y}`, as two tables",
        "the grid spanned by `{x}` and `{y}`, as a table of its `{x}` parts and one of its `{y}` parts; a "
        "table with `{x}` in every row and another with `{y}` in every column",
    ),
    row(
        "ix_",
        "naturals2",
        "index arrays for the rows `{x}` and the columns `{y}`: `{x}` as a column and `{y}` as a row; "
        "`{x}` as a table of one column and `{y}` as a table of one row",
        "an open mesh from `{x}` and `{y}`: the first upright, the second flat; "
        "two tables, `{x}` standing as one column and `{y}` lying as one row",
    ),
    row(
        "split",
        "composite n=divisor",
        "{them} cut into `{n}` parts of equal length; `{n}` equally long pieces of {them}, in order",
        "{them} shared out in order among `{n}` lists of equal length; `{n}` consecutive parts of {them}, "
        "all of the same size",
        extra="a number of parts `{n}`",
        body="return {f}({array}({x}), {n})",
    ),
]
