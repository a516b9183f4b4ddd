"""The stories of tasks on complex numbers, on arrays with three axes, and on a table with one row more.

As in `scenarios` and `array_scenarios`: one line each, `data | noun | parameters`, training before test.
"""

FURTHER_SCENARIOS: dict[str, tuple[str, str]] = {
    "complexes": (
        """
        the impedances of some circuits | impedances | impedances
        some points of the plane as complex numbers | complex points | points
        the coefficients of a Fourier series | Fourier coefficients | series
        a list of complex numbers | complex numbers | values
        """,
        """
        the complex amplitudes of some waves | complex amplitudes | waves
        the corners of a shape as complex numbers | complex corners | corners
        the responses of a filter as complex numbers | filter responses | responses
        """,
    ),
    "complexes2": (
        """
        the complex signals of two antennas | complex signals | a b
        two lists of complex numbers | paired complex numbers | x y
        the states of two systems as complex numbers | state components | first second
        """,
        """
        the complex waves of two sources | complex waves | m n
        the phasors of two generators | phasors | p q
        the spectra of two lamps as complex numbers | spectra | here there
        """,
    ),
    "cubes": (
        """
        the pixels of some pictures, a table for each, | picture pixels | pictures
        a block of numbers with three axes | block entries | block
        the readings by day, place and hour | readings by hour | readings
        """,
        """
        a three-dimensional array | cells of a cube | cube
        the seats taken by hall, row and place | taken seats | halls
        the stock by house, room and shelf | stock by room | stock
        """,
    ),
    "row2": (
        """
        a table `{x}` and a list `{y}` | rows of a table | table row
        a sheet `{x}` and one more row `{y}` for it | sheet rows | sheet row
        the plans `{x}` of some days and the usual plan `{y}` | daily plans | days usual
        """,
        """
        a grid `{x}` and a line `{y}` of the same width | grid lines | grid line
        the menus `{x}` of some weeks and a standard menu `{y}` | menus | weeks standard
        several records `{x}` and a model record `{y}` | model records | records model
        """,
    ),
    "tensor2": (
        """
        linear equations with weights `{x}` (three axes) and right sides `{y}` | tensor equations | a b
        the tensor `{x}` of a system and the table `{y}` of its targets | tensor targets | tensor target
        a tensor equation with left side `{x}` and right side `{y}` | tensor sides | lhs rhs
        """,
        """
        tensor conditions with factors `{x}` and wanted values `{y}` | tensor conditions | factors goals
        couplings `{x}` with three axes and a table `{y}` of required sums | couplings | p q
        a tensor rule `{x}` and the table `{y}` that it has to yield | tensor rules | rule result
        """,
    ),
}
