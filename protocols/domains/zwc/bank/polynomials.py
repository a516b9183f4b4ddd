"""Polynomials as lists of coefficients, highest power first."""

from protocols.domains.zwc.bank.recipe import row

RECIPES = [
    row(
        "polyval",
        "coefficients v=small",
        "the value of the polynomial at `{v}`; the polynomial evaluated at `{v}`",
        "what the polynomial gives for `{v}`",
        extra="a number `{v}`",
    ),
    row(
        "polyder",
        "coefficients",
        "the coefficients of its derivative; the derivative of the polynomial",
        "the polynomial differentiated once",
    ),
    row(
        "polyint",
        "coefficients",
        "the coefficients of its antiderivative with constant 0; the integral of the polynomial, constant 0",
        "the polynomial integrated once, constant 0",
    ),
    row(
        "polymul",
        "coefficients2",
        "the coefficients of their product; the two polynomials multiplied",
        "the product polynomial of the two",
    ),
    row(
        "polyadd",
        "coefficients2",
        "the coefficients of their sum; the two polynomials added",
        "the sum polynomial of the two",
    ),
    row(
        "poly",
        "wholes",
        "the coefficients of the polynomial that is zero at each of {them}; "
        "the monic polynomial with {them} as its roots",
        "the polynomial whose roots are {them}, highest power first",
    ),
    row(
        "vander",
        "wholes",
        "a table with the powers of each of {them}, highest first; the Vandermonde matrix of {them}",
        "for each of {them} a row of its falling powers",
    ),
]
