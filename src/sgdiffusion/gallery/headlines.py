"""Which headlines a run's numbers carry: page, README and article begin with these alone."""

from collections.abc import Iterable, Mapping

import pandas as pd

from sgdiffusion.config.texts import Headline
from sgdiffusion.gallery.fill import measured_all
from sgdiffusion.verdicts import Quantities


def carried(
    headlines: Iterable[Headline], quantities: Quantities, verdicts: Mapping[str, str], findings: pd.DataFrame
) -> list[Headline]:
    """The headlines whose numbers were measured, whose claim has the verdict they speak of, and whose finding
    was demonstrated; `findings` are one paper's, verdicts stand by the claim's id.
    """
    shown = set(findings.loc[findings["demonstrated"] == "yes", "finding"])
    return [
        h
        for h in headlines
        if measured_all(h.text, quantities)
        and (h.finding in shown or verdicts.get(h.claim or "") == h.verdict)
    ]
