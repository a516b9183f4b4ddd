"""The stories that data comes from, by kind: one line each, `data | noun | parameters`.

Every kind has lines for training and, after them, lines for the test that share no noun with those.
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
}
