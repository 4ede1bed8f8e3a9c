"""How many verdicts of each kind every page gives, as stacked bars.

Cost: three rows a page.
"""

import altair as alt
import pandas as pd

from lethe.pages.render import COLORS, GREY, finished, limited

FILLS = {"upheld": COLORS["green"], "not upheld": COLORS["orange"], "cannot tell": GREY}


def tally_chart(counts: pd.DataFrame, *, title: str, description: str) -> alt.Chart:
    """Draw `counts` (one row a page, one column a verdict, as of `verdicts.tally`) as bars."""
    words = list(counts.columns)
    rows = counts.rename_axis("page").reset_index().melt("page", var_name="verdict")
    rows["place"] = rows["verdict"].map(words.index)
    chart = (
        alt.Chart(limited(rows[rows["value"] > 0]))
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title="verdicts", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("page:N", sort=list(counts.index), title=None, axis=alt.Axis(labelLimit=330)),
            color=alt.Color(
                "verdict:N",
                scale=alt.Scale(domain=words, range=[FILLS[word] for word in words]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            order="place:Q",
            tooltip=["page:N", "verdict:N", alt.Tooltip("value:Q", title="number")],
        )
    )
    cells = {"page": list(map(str, counts.index))}
    cells |= {word: [str(n) for n in counts[word]] for word in words}
    return finished(chart, title, description, height=max(22 * len(counts), 60), table=cells)
