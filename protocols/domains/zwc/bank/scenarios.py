"""The stories that lists come from, by kind: one line each, `data | noun | parameters`.

Every kind has lines for training and, after them, lines for the test that share no noun with those.

Does not cover: pairs, bounds, tables and matrices (`array_scenarios`).
"""

SCENARIOS: dict[str, tuple[str, str]] = {
    "reals": (
        """
        the noon temperatures of a week | temperatures | temps
        the daily changes of a stock | changes | changes
        the monthly results of a shop | results | results
        the readings of a sensor | readings | readings
        the scores of a card game | scores | scores
        the errors of a forecast | errors | errors
        a list of numbers | numbers | values
        """,
        """
        the balances of bank accounts | balances | balances
        the delays of the trains of a day | delays | delays
        the measurements of a lab | measurements | data
        the heights along a trail | heights | heights
        the voltages of a signal | voltages | signal
        """,
    ),
    "positives": (
        """
        the prices of fruits in a market | prices | prices
        the weights of some parcels | weights | weights
        the rainfall amounts of a month | rainfall amounts | rain
        the distances run by an athlete | distances | distances
        the durations of phone calls | durations | times
        a list of positive numbers | positive numbers | values
        """,
        """
        the lengths of some ropes | lengths | lengths
        the salaries of a team | salaries | pay
        the volumes of bottles | volumes | volumes
        the speeds of cars on a road | speeds | speeds
        """,
    ),
    "counts": (
        """
        the visitor counts of a museum | visitor counts | visits
        the goals of a team per match | goals | goals
        the votes for each candidate | votes | votes
        the eggs laid each day | egg counts | eggs
        a list of counts | counts | values
        """,
        """
        the clicks on a web page per hour | clicks | clicks
        the parcels delivered each day | parcel numbers | parcels
        the absences of each pupil | absences | absences
        the cars sold per week | car sales | cars
        """,
    ),
    "factors": (
        """
        the yearly growth factors of a fund | growth factors | growth
        the gear ratios of a machine | ratios | ratios
        the zoom steps of a lens | zoom steps | steps
        the sides of a box | sides | sides
        the numbers of choices at each stage | numbers of choices | choices
        a list of multipliers | multipliers | values
        """,
        """
        the scale factors of a drawing | scale factors | scales
        the odds of independent bets | odds | odds
        the edge lengths of a crate | edge lengths | edges
        the amplifications of a chain of amplifiers | amplifications | gains
        """,
    ),
    "wholes": (
        """
        the floors a lift stops at | floor numbers | floors
        the points won or lost in each round | points | points
        the moves of a token on a board | moves | moves
        a list of whole numbers | whole numbers | values
        """,
        """
        the goal differences of a club | goal differences | goals
        the signed steps of a walker | signed steps | walk
        the tax corrections in dollars | corrections | fixes
        """,
    ),
    "sparse": (
        """
        the alarm codes of a machine | alarm codes | alarms
        the daily stock corrections of a shop | stock corrections | stock
        the entries of a ledger | ledger entries | ledger
        the pulses of a counter | pulses | pulses
        a list with zeros | listed numbers | values
        """,
        """
        the shifts of a clock each day | clock shifts | shifts
        the penalties of a player | penalties | marks
        the jumps of a signal | jumps | jumps
        """,
    ),
    "flags": (
        """
        the answers of a yes-or-no quiz | answers | answers
        the switch states of a panel | switch states | switches
        the results of some checks | check results | checks
        a list of truth values | truth values | values
        """,
        """
        the attendance marks of a pupil | attendance marks | present
        the door sensors of a house | door signals | doors
        the votes for or against a plan | ballots | ballots
        """,
    ),
    "degrees": (
        """
        the headings of a ship in degrees | headings | headings
        the turns of a robot in degrees | turns | turns
        a list of angles in degrees | angles in degrees | angles
        """,
        """
        the wind directions in degrees | wind directions | winds
        the tilts of a roof in degrees | tilts | tilts
        """,
    ),
    "radians": (
        """
        the phases of a wave in radians | phases | phases
        the joint positions of an arm in radians | joint positions | joints
        a list of angles in radians | angles in radians | angles
        """,
        """
        the swings of a pendulum in radians | swings | swings
        the rotations of a wheel in radians | rotations | wheel
        """,
    ),
    "ratios": (
        """
        the correlations of some studies | correlations | corr
        the balances of left and right sound | sound balances | sound
        a list of numbers from -1 to 1 | ratios | values
        """,
        """
        the opinion scores from -1 to 1 | opinions | opinions
        the steering inputs from -1 to 1 | steering inputs | steer
        """,
    ),
    "gaps": (
        """
        the readings of a broken sensor | sensor readings | readings
        the survey replies, some unusable | replies | replies
        the quotes of a stock with gaps | quotes | quotes
        a list of numbers, some not usable | entries | values
        """,
        """
        the water levels of a faulty gauge | water levels | levels
        the lab samples, some spoilt | samples | samples
        the lap times of a flawed clock | lap times | laps
        """,
    ),
    "ordered": (
        """
        the increasing page marks of a book | page marks | marks
        the sorted results of a contest | contest results | results
        a list of numbers in increasing order | sorted numbers | values
        """,
        """
        the rising water marks on a wall | water marks | wall
        the ordered bids of an auction | bids | bids
        """,
    ),
    "coefficients": (
        """
        the coefficients of a polynomial, highest power first, | coefficients | coeffs
        a polynomial given by its coefficients, highest first, | coefficients of a polynomial | p
        the factors of x squared, x, 1 and so on, from the highest power down, | polynomial factors | poly
        """,
        """
        a polynomial as a list that starts with the leading term, | polynomial terms | terms
        the terms of a polynomial, leading one first, | terms in falling order | curve
        """,
    ),
}
