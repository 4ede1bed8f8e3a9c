"""Pick one arm of a chart, by a click in its legend or from a list below it.

The list is a native input: the keyboard reaches it, and a screen reader reads its label. What is
picked in both must agree; nothing is picked at first, and then every arm is shown. Cost: none.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt


def arm_picker(field: str, names: Sequence[Any]) -> tuple[list[alt.Parameter], Any]:
    """Return the two selections over column `field`, and the condition that both hold."""
    clicked = alt.selection_point(name="clicked", fields=[field], bind="legend")
    choices = alt.binding_select(
        options=[None, *names], labels=["all", *map(str, names)], name="show"
    )
    listed = alt.selection_point(name="listed", fields=[field], bind=choices)
    return [clicked, listed], clicked & listed
