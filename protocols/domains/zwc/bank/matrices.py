"""Tables and matrices: shape, parts, turns, products, linear algebra."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "ravel",
        "tables",
        "all entries of `{x}` row by row as one flat list; `{x}` flattened into a single list",
        "one long list with the rows of `{x}` one after another",
    ),
    row(
        "transpose",
        "tables",
        "`{x}` with rows and columns exchanged; the transpose of `{x}`",
        "`{x}` flipped so that its rows become its columns",
    ),
    row(
        "shape",
        "tables",
        "the number of rows and the number of columns of `{x}`; the dimensions of `{x}`",
        "how many rows and how many columns `{x}` has",
    ),
    row(
        "size",
        "tables",
        "how many entries `{x}` has in total; the number of cells of `{x}`",
        "the count of all entries in `{x}`",
    ),
    row(
        "argwhere",
        "sparse_tables",
        "the row and column of every nonzero entry of `{x}`; "
        "a list of [row, column] for the nonzero cells of `{x}`",
        "where `{x}` is not zero, as pairs of row and column",
    ),
    row(
        "unravel_index",
        "grid2 i=cell",
        "the row and column of cell number `{i}`, counted row by row from 0; "
        "the row and column of flat position `{i}`",
        "in which row and which column cell `{i}` of the row-by-row count lies",
        how="{i}, ({x}, {y})",
        extra="a cell number `{i}`",
    ),
    row(
        "diagonal",
        "squares",
        "the entries on the main diagonal of `{x}`; the main diagonal of `{x}` as a list",
        "the list of entries of `{x}` from top left to bottom right",
    ),
    row(
        "trace",
        "squares",
        "the trace of `{x}`; the sum of the diagonal entries of `{x}`",
        "what the main diagonal of `{x}` adds up to",
    ),
    row(
        "tril",
        "squares",
        "`{x}` with zeros above the main diagonal; the lower triangle of `{x}`",
        "`{x}` where everything above the diagonal is set to 0",
    ),
    row(
        "triu",
        "squares",
        "`{x}` with zeros below the main diagonal; the upper triangle of `{x}`",
        "`{x}` where everything below the diagonal is set to 0",
    ),
    row(
        "rot90",
        "tables",
        "`{x}` rotated by 90 degrees counterclockwise; `{x}` after a quarter turn to the left",
        "`{x}` turned left once, by a right angle",
    ),
    row(
        "fliplr",
        "tables",
        "`{x}` with the entries of each row reversed; `{x}` mirrored left to right",
        "`{x}` with its columns in reverse order",
    ),
    row(
        "flipud",
        "tables",
        "`{x}` with its rows in reverse order; `{x}` turned upside down",
        "`{x}` with the last row first, each row unchanged",
    ),
    row(
        "matmul",
        "chain2",
        "the matrix product of `{x}` and `{y}`; `{x}` times `{y}` by matrix multiplication",
        "what `{x}` multiplied by `{y}` gives as matrices",
    ),
    row(
        "inner",
        "width2",
        "the table of dot products of each row of `{x}` with each row of `{y}`; "
        "the inner products of the rows of "
        "`{x}` and the rows of `{y}`",
        "every row of `{x}` dotted with every row of `{y}`",
    ),
    row(
        "linalg.vecdot",
        "same2",
        "the dot product of each row of `{x}` with the same row of `{y}`; "
        "row by row the dot product of `{x}` and `{y}`",
        "for each row number the dot product of the two rows in `{x}` and `{y}`",
    ),
    row(
        "kron",
        "any2",
        "the Kronecker product of `{x}` and `{y}`; `{x}` with each entry replaced by it times `{y}`",
        "the block matrix of the entries of `{x}` times the whole of `{y}`",
    ),
    row(
        "linalg.multi_dot",
        "chain3",
        "the matrix product of `{x}`, `{y}` and `{z}`; "
        "the three matrices `{x}`, `{y}`, `{z}` multiplied in this order",
        "`{x}` times `{y}` times `{z}`, as one matrix product",
        how="[{x}, {y}, {z}]",
    ),
    row(
        "hstack",
        "beside2",
        "`{x}` and `{y}` side by side as one table; the rows of `{x}` each continued by the row of `{y}`",
        "one wide table, `{x}` on the left and `{y}` on the right",
        how="[{x}, {y}]",
    ),
    row(
        "vstack",
        "below2",
        "the rows of `{x}` and below them the rows of `{y}`; `{x}` on top of `{y}` as one table",
        "one tall table, `{x}` above and `{y}` beneath",
        how="[{x}, {y}]",
    ),
    row(
        "cross",
        "space2",
        "the cross product of `{x}` and `{y}`; the vector product of `{x}` and `{y}`",
        "`{x}` cross `{y}`, the vector at right angles to both",
    ),
    row(
        "linalg.det",
        "squares",
        "the determinant of `{x}`; the signed volume factor (determinant) of `{x}`",
        "what the determinant of `{x}` is",
    ),
    row(
        "linalg.slogdet",
        "dominant",
        "the sign and the logarithm of the absolute determinant of `{x}`; "
        "the determinant of `{x}` as its sign and the "
        "log of its size",
        "two numbers, the sign of the determinant of `{x}` and the log of its absolute value",
    ),
    row(
        "linalg.inv",
        "dominant",
        "the inverse of `{x}`; the matrix that undoes `{x}`, its inverse",
        "the inverse matrix to `{x}`",
    ),
    row(
        "linalg.pinv",
        "matrices",
        "the pseudo-inverse of `{x}`; the Moore-Penrose inverse of `{x}`",
        "the generalized (pseudo) inverse of `{x}`",
    ),
    row(
        "linalg.solve",
        "system2",
        "the solution of the equations; the values of the unknowns",
        "the unknowns that satisfy all equations",
    ),
    row(
        "linalg.matrix_rank",
        "deficient",
        "the rank of `{x}`; the number of linearly independent rows of `{x}`",
        "how many rows of `{x}` are linearly independent",
    ),
    row(
        "linalg.matrix_power",
        "squares n=power",
        "`{x}` multiplied by itself as a matrix, `{n}` factors in all; the `{n}`-th matrix power of `{x}`",
        "the matrix `{x}` raised to the power `{n}`",
        extra="a whole number `{n}`",
    ),
    row(
        "linalg.eigvalsh",
        "symmetric",
        "the eigenvalues of `{x}` in increasing order; the sorted eigenvalues of `{x}`",
        "all eigenvalues of `{x}`, smallest first",
    ),
    row(
        "linalg.svdvals",
        "matrices",
        "the singular values of `{x}`, largest first; all singular values of `{x}` in falling order",
        "how much `{x}` stretches along its main axes (its singular values)",
    ),
    row(
        "linalg.cond",
        "dominant",
        "the condition number of `{x}`; the ratio of the largest to the smallest singular value of `{x}`",
        "how badly conditioned `{x}` is, as its condition number",
    ),
    row(
        "linalg.cholesky",
        "definite",
        "the lower triangular Cholesky factor of `{x}`; the Cholesky decomposition of `{x}`",
        "the lower triangular matrix that times its transpose gives `{x}`",
    ),
    row(
        "linalg.matrix_norm",
        "matrices",
        "the Frobenius norm of `{x}`; the square root of the sum of all squared entries of `{x}`",
        "the size of `{x}` as its Frobenius norm",
    ),
]
