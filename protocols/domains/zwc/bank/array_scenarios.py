"""The stories of tasks on two lists, on a few numbers, on tables and on matrices: as in `scenarios`.

Data that names its parameters itself has slots for them.
"""

ARRAY_SCENARIOS: dict[str, tuple[str, str]] = {
    "pairs": (
        """
        the sales of two shops | sales | a b
        the readings of two sensors | paired readings | left right
        the scores of two players | paired scores | first second
        the numbers of two lists | paired numbers | x y
        the values before and after a change | paired values | before after
        """,
        """
        the loads of two engines | loads | m n
        the prices at two stores | store prices | here there
        the grades of two classes | class grades | p q
        the measures of two teams | team measures | u v
        """,
    ),
    "counts2": (
        """
        the item counts of two boxes | item counts | a b
        the whole numbers of two lists | listed integers | x y
        the stocks of two stores | store stocks | first second
        the team sizes of two leagues | team sizes | left right
        """,
        """
        the seat numbers of two halls | seat numbers | m n
        the coin numbers of two players | coins | p q
        the tile counts of two rooms | tile counts | u v
        """,
    ),
    "flags2": (
        """
        the answers of two witnesses | witness answers | a b
        the truth values of two lists | paired truth values | x y
        the states of two rows of switches | paired states | first second
        the checks of two inspectors | inspections | left right
        """,
        """
        the alarms of two detectors | detector alarms | m n
        the permits of two offices | permits | p q
        the signals of two lights | light signals | u v
        """,
    ),
    "groups2": (
        """
        the member numbers of two clubs | member numbers | a b
        the page numbers in two indexes | page numbers | first second
        the ticket numbers of two days | ticket numbers | x y
        the lottery picks of two friends | picks | left right
        """,
        """
        the postal codes of two routes | postal codes | m n
        the player numbers of two squads | player numbers | p q
        the part numbers of two machines | part numbers | u v
        """,
    ),
    "lists2": (
        """
        two lists of numbers | listed numbers | a b
        a signal and a filter | signal samples | signal kernel
        the takings of a morning and an afternoon | takings | morning afternoon
        the scores of two parts of a game | part scores | first second
        """,
        """
        the deliveries of two trucks | deliveries | m n
        a melody and a pattern | notes | melody pattern
        the orders of two weeks | orders | p q
        """,
    ),
    "similar2": (
        """
        the results of two programs | program results | a b
        the measurements of two labs | lab measurements | first second
        the totals of two clerks | clerk totals | x y
        two lists to be compared | compared numbers | left right
        """,
        """
        the copies of a record | copies | m n
        the answers of two calculators | calculator answers | p q
        the sums from two machines | machine sums | u v
        """,
    ),
    "curve2": (
        """
        the times and heights of points on a curve | points of a curve | times heights
        the places and levels of points along a river | points along a river | places levels
        the x and y values of some points | plotted points | x y
        """,
        """
        the hours and depths of marks on a tide chart | tide marks | hours depths
        the ages and sizes of a plant | plant marks | ages sizes
        """,
    ),
    "coefficients2": (
        """
        two polynomials by coefficients, highest power first, | coefficients of two polynomials | a b
        the coefficients of two polynomials, leading ones first, | leading-first coefficients | p q
        two polynomials, each a list from the highest power down, | polynomial lists | first second
        """,
        """
        the terms of two polynomials in falling order | falling terms | f g
        two polynomial lists that start with the leading term, | leading terms | m n
        """,
    ),
    "weighted2": (
        """
        the grades of a student and their weights | weighted grades | grades weights
        the prices of goods and the amounts bought | weighted prices | prices amounts
        the ratings of a film and the numbers of raters | weighted ratings | ratings raters
        some numbers and the weight of each | weighted numbers | values weights
        """,
        """
        the yields of fields and their areas | yields | yields areas
        the speeds of a trip and the hours at each | trip speeds | speeds hours
        the densities of layers and their depths | densities | density depth
        """,
    ),
    "ends2": (
        """
        a start `{x}` and an end `{y}` | ends | start end
        the ends `{x}` and `{y}` of a ruler | ruler marks | left right
        two numbers `{x}` and `{y}` | two numbers | a b
        the first and last hour, `{x}` and `{y}`, | hours | first last
        """,
        """
        the bounds `{x}` and `{y}` of a range | bounds | lower upper
        the two sides `{x}` and `{y}` of a road | road sides | p q
        the outer posts of a fence at `{x}` and `{y}` | posts | near far
        """,
    ),
    "sizes": (
        """
        a size `{x}` | size | n
        a number `{x}` of seats | seats | seats
        a whole number `{x}` | whole number | k
        a count `{x}` | count | count
        """,
        """
        a length `{x}` | extent | m
        the number `{x}` of shelves | shelves | shelves
        an extent `{x}` | extents | width
        """,
    ),
    "grid2": (
        """
        a table with `{x}` rows and `{y}` columns | cells | rows columns
        a chess-like board of `{x}` rows and `{y}` columns | squares | r c
        a hall with `{x}` rows of `{y}` seats | hall seats | rows seats
        """,
        """
        a wall of `{x}` rows with `{y}` tiles each | tiles | m n
        a page of `{x}` lines with `{y}` letters each | letters | lines letters
        a calendar of `{x}` weeks with `{y}` days each | days | weeks days
        """,
    ),
    "tables": (
        """
        a table of exam scores | exam scores | scores
        a table of numbers | table entries | table
        the sales by shop and month | sales by month | sales
        a grid of pixel values | pixel values | image
        """,
        """
        a chart of rainfall by town and year | rainfall figures | chart
        the stock by shelf and product | shelf stock | stock
        a map of terrain heights | terrain heights | terrain
        """,
    ),
    "matrices": (
        """
        a matrix | matrix entries | matrix
        a matrix of measurements | measured entries | m
        a data matrix | data entries | data
        """,
        """
        a matrix of coefficients | matrix coefficients | coeffs
        a numeric matrix | matrix numbers | a
        """,
    ),
    "squares": (
        """
        a square matrix | square matrix entries | matrix
        a matrix with as many rows as columns | entries of a square matrix | m
        the square matrix of a map | map entries | a
        """,
        """
        a square array of numbers | square array numbers | grid
        an n by n matrix | n by n numbers | b
        """,
    ),
    "symmetric": (
        """
        a symmetric matrix | symmetric entries | matrix
        a symmetric table of similarities | similarities | sims
        the symmetric matrix of a network | network entries | m
        """,
        """
        a matrix equal to its transpose | mirrored entries | a
        a symmetric grid of forces | forces | forces
        """,
    ),
    "system2": (
        """
        linear equations with coefficients `{x}` and right sides `{y}` | equations | a b
        unknowns with weights `{x}` and totals `{y}`, one equation a row, | unknowns | matrix target
        a system of linear equations, matrix `{x}` and right side `{y}`, | equations of a system | m rhs
        """,
        """
        balance conditions, each a row of `{x}` that must give the entry of `{y}` | conditions | rows goals
        mixing rules with weights `{x}` and required results `{y}` | mixing rules | mix need
        recipes that use goods as in `{x}` and the stocks `{y}` to be used up | recipes | use stocks
        """,
    ),
    "matrices2": (
        """
        two matrices | entries of two matrices | a b
        a first and a second matrix | first and second entries | first second
        the matrices of two maps | entries of two maps | m n
        """,
        """
        a pair of matrices | entries of a pair | p q
        a left and a right factor matrix | factor entries | left right
        """,
    ),
    "tables2": (
        """
        two tables of numbers | numbers of two tables | a b
        the pixel grids of two pictures | pixels of two pictures | first second
        the score tables of two groups | scores of two groups | m n
        """,
        """
        a pair of data tables | data of a pair | p q
        two sheets of figures | figures of two sheets | sheet other
        """,
    ),
    "matrices3": (
        """
        three matrices | entries of three matrices | a b c
        the matrices of three steps | entries of three steps | first second third
        """,
        """
        a chain of matrices | chained entries | p q r
        a triple of matrices | entries of a triple | u v w
        """,
    ),
    "space2": (
        """
        two vectors in space | vector components | a b
        the forces on two axles | force components | first second
        the directions of two beams | beam directions | u v
        """,
        """
        the edges of a tile in space | tile edges | p q
        the velocities of two drones | drone velocities | m n
        """,
    ),
}
