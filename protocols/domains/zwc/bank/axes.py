"""Axes added, dropped, exchanged and moved."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "expand_dims",
        "ordered",
        "a table of one column that holds {them}; {them}, each in a row of its own",
        "{them} one below the other, as a single column; every one of {them} as a list of length one",
        how="{x}, 1",
    ),
    row(
        "squeeze",
        "wrapped",
        "`{x}` without its axes of length one; `{x}` after dropping every axis that has only one entry",
        "what is left of `{x}` when axes with a single entry are removed; `{x}` freed of all axes of size "
        "one",
    ),
    row(
        "swapaxes",
        "cubes",
        "`{x}` with its first and last axis exchanged; `{x}` after its first and third axis change places",
        "`{x}` where the outermost and the innermost axis trade places; "
        "`{x}` turned so that axis 0 becomes axis 2 and axis 2 becomes axis 0",
        how="{x}, 0, 2",
    ),
    row(
        "moveaxis",
        "cubes",
        "`{x}` with its first axis moved to the end; `{x}` after its first axis becomes the last one",
        "`{x}` where the outermost axis goes innermost and the others keep their order; "
        "`{x}` turned so that axis 0 stands behind axes 1 and 2",
        how="{x}, 0, 2",
    ),
    row(
        "rollaxis",
        "cubes",
        "`{x}` with its last axis moved to the front; `{x}` after its last axis becomes the first one",
        "`{x}` where the innermost axis goes outermost and the others keep their order; "
        "`{x}` turned so that axis 2 stands before axes 0 and 1",
        body="return {f}({array}({x}), 2)",
    ),
]
