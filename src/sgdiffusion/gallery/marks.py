"""Small inline drawings: a measured interval against what is accepted and published; a bar of verdicts."""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from sgdiffusion.config.models import Region
from sgdiffusion.verdicts import Measured, Verdict
from sgdiffusion.verdicts.words import number

WIDTH, HEIGHT, MARGIN = 220.0, 24.0, 8.0
LABELS = 12.0  # height of the ticks' numbers, below
_APART = 44.0  # ticks at least, so that their numbers do not touch
_LOGARITHMIC_FROM = 30.0  # ratio of the ends from which a linear axis would hide the smaller numbers


class _Axis:
    """Horizontal positions and ticks; logarithmic over wide ranges of positive numbers."""

    def __init__(self, numbers: Sequence[float]):
        positive = [n for n in numbers if n > 0]
        every = len(positive) == len(numbers)
        self.logarithmic = every and max(numbers) / min(numbers) > _LOGARITHMIC_FROM
        low, high = self._scaled(min(numbers)), self._scaled(max(numbers))
        pad = 0.12 * (high - low) or 0.5 * abs(high) or 1.0
        self._low, self._high = low - pad, high + pad

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def position(self, value: float) -> float:
        if math.isinf(value) or (self.logarithmic and value <= 0):
            return WIDTH - MARGIN if value > 0 else MARGIN
        share = (self._scaled(value) - self._low) / (self._high - self._low)
        return MARGIN + min(max(share, 0.0), 1.0) * (WIDTH - 2 * MARGIN)

    def ticks(self) -> list[float]:
        """Round numbers, as close as their labels allow: powers of ten, or one, two and five times such."""
        least = _APART / (WIDTH - 2 * MARGIN) * (self._high - self._low)
        power = 10.0 ** math.floor(math.log10(least))
        step = next(s * power for s in (1, 2, 5, 10) if s * power >= least)
        if self.logarithmic:
            step = max(1.0, math.ceil(step))
        first, last = math.ceil(self._low / step), math.floor(self._high / step)
        places = [i * step for i in range(first, last + 1)]
        return [10.0**p for p in places] if self.logarithmic else places


def _tick(x: float, text: str) -> str:
    anchor = "start" if x < 2 * MARGIN else "end" if x > WIDTH - 2 * MARGIN else "middle"
    return (
        f'<path class="axis" d="M{x:.1f} {HEIGHT / 2:g}v{HEIGHT / 2:g}"/>'
        f'<text class="tick" x="{x:.1f}" y="{HEIGHT + LABELS - 2:g}" text-anchor="{anchor}">{text}</text>'
    )


def interval_mark(region: Region, measured: Measured) -> Markup:
    """Band: accepted; open diamond: published; dot with whiskers: measured; numbered ticks below."""
    ends = [region.low, region.high, region.published, measured.low, measured.high, measured.value]
    axis = _Axis([e for e in ends if e is not None and math.isfinite(e)])
    position = axis.position
    left = MARGIN if region.low is None else position(region.low)
    right = WIDTH - MARGIN if region.high is None else position(region.high)
    middle, width = HEIGHT / 2, max(right - left, 1.5)
    parts = [
        f'<rect class="accepted" x="{left:.1f}" y="4" width="{width:.1f}" height="16" rx="2"/>',
        f'<path class="axis" d="M{MARGIN} {middle}H{WIDTH - MARGIN}"/>',
        *(_tick(position(value), number(value)) for value in axis.ticks()),
        f'<path class="whisker" d="M{position(measured.low):.1f} {middle}H{position(measured.high):.1f}"/>',
        f'<circle class="measured" cx="{position(measured.value):.1f}" cy="{middle}" r="3.6"/>',
    ]
    if region.published is not None:
        x = position(region.published)
        parts.append(f'<path class="published" d="M{x:.1f} {middle - 8}l6 8l-6 8l-6 -8z"/>')
    body, height = "".join(parts), HEIGHT + LABELS
    return Markup(f'<svg class="mark" viewBox="0 0 {WIDTH:g} {height:g}" aria-hidden="true">{body}</svg>')


def verdict_bar(counts: Mapping[Verdict, int]) -> Markup:
    """One horizontal bar, its parts as long as the numbers of claims."""
    total = sum(counts.values()) or 1
    parts, at = [], 0.0
    for verdict, count in counts.items():
        width = 100 * count / total
        if count:
            seen = max(width - 0.4, 0.4)
            parts.append(f'<rect class="{verdict.slug}" x="{at:.2f}" width="{seen:.2f}" height="6"/>')
        at += width
    body = "".join(parts)
    return Markup(
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{body}</svg>'
    )
