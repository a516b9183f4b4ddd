"""Linear algebra in more steps: eigenvalues, decompositions, least squares, tensors.

Where the library's result is not unique (order, signs), the answer is made of what is.
"""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "tensordot",
        "beside2",
        "the table of the dot products of each column of `{x}` with each column of `{y}`; "
        "the products of the columns of `{x}` with those of `{y}`, each summed over the rows",
        "every column of `{x}` dotted with every column of `{y}`; the contraction of `{x}` and `{y}` over "
        "their rows",
        how="{x}, {y}, axes=([0], [0])",
    ),
    row(
        "linalg.eig",
        "squares",
        "the absolute values of the eigenvalues of `{x}` in increasing order; "
        "how large the eigenvalues of `{x}` are in size, sorted",
        "the sizes of all eigenvalues of `{x}`, smallest first; by how much `{x}` scales its own "
        "directions, in order",
        body="return sorted(abs(e) for e in {f}({x})[0])",
    ),
    row(
        "linalg.eigvals",
        "squares",
        "the spectral radius of `{x}`; the largest absolute value among the eigenvalues of `{x}`",
        "how far the eigenvalue of `{x}` furthest from 0 is from it; the size of the biggest eigenvalue of "
        "`{x}`",
        body="return max(abs(e) for e in {f}({x}))",
    ),
    row(
        "linalg.eigh",
        "symmetric",
        "the eigenvector of length one for the largest eigenvalue of `{x}`, each entry without its sign; "
        "the absolute values in the unit eigenvector that belongs to the highest eigenvalue of `{x}`",
        "without signs, the entries of the unit vector that `{x}` stretches by its top eigenvalue; "
        "the main axis of `{x}` (of its greatest eigenvalue) as a unit vector of absolute values",
        body="values, vectors = {f}({x})\nreturn [abs(e) for e in vectors[:, -1]]",
    ),
    row(
        "linalg.lstsq",
        "curve2",
        "the intercept and the slope of the line that fits `{y}` over `{x}` best by least squares; "
        "the least-squares line through {them}, as its value at 0 and its slope",
        "where the best straight line for `{y}` against `{x}` crosses 0, and how steep it is; "
        "the start and the steepness of the line nearest to {them} in squares",
        body="return {f}([[1.0, e] for e in {x}], {y})[0]",
    ),
    row(
        "linalg.qr",
        "squares",
        "the triangular factor of the QR decomposition of `{x}`, each entry without its sign; "
        "the absolute values of the factor R when `{x}` is an orthogonal matrix times a triangular R",
        "without signs, the upper triangular matrix that `{x}` becomes when its columns are made "
        "orthonormal; "
        "the R of `{x}` = Q R, entry by entry as absolute value",
        body="return [[abs(e) for e in line] for line in {f}({x})[1]]",
    ),
    row(
        "linalg.svd",
        "matrices",
        "the sum of the singular values of `{x}`; the nuclear norm of `{x}`, that is its singular values "
        "added up",
        "what the singular values of `{x}` come to in all; how much `{x}` stretches along all its main "
        "axes together",
        body="return sum({f}({x})[1])",
    ),
    row(
        "linalg.tensorinv",
        "tensor",
        "the tensor inverse of `{x}`, whose first two axes belong together; "
        "the tensor that undoes `{x}`, seen as a map from its last axis to its first two",
        "what inverts `{x}` when its first two axes count as one side; "
        "the inverse to `{x}` as a tensor, the first two axes on one side and the third on the other",
        how="{x}, ind=2",
    ),
    row(
        "linalg.tensorsolve",
        "tensor2",
        "the list that solves the tensor equation; the unknowns whose sums with the weights `{x}` give `{y}`",
        "the numbers that, weighted by `{x}` along its last axis and added, make `{y}`; "
        "the list of unknowns for which `{x}` yields `{y}`",
    ),
]
