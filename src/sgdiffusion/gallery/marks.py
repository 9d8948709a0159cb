"""Small inline drawings: a measured interval against what is accepted and published; a bar of verdicts."""

import math
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from sgdiffusion.config.models import Region
from sgdiffusion.verdicts import Measured, Verdict

WIDTH, HEIGHT, MARGIN = 220.0, 24.0, 8.0
_LOGARITHMIC_FROM = 30.0  # ratio of the ends from which a linear axis would hide the smaller numbers


def _axis(numbers: Sequence[float]) -> Callable[[float], float]:
    """Horizontal position of a number; logarithmic over wide ranges of positive numbers."""
    positive = [n for n in numbers if n > 0]
    logarithmic = len(positive) == len(numbers) and max(numbers) / min(numbers) > _LOGARITHMIC_FROM
    scale: Callable[[float], float] = math.log if logarithmic else float
    low, high = scale(min(numbers)), scale(max(numbers))
    pad = 0.12 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = low - pad, high + pad

    def position(value: float) -> float:
        if math.isinf(value) or (logarithmic and value <= 0):
            return WIDTH - MARGIN if value > 0 else MARGIN
        share = (scale(value) - low) / (high - low)
        return MARGIN + min(max(share, 0.0), 1.0) * (WIDTH - 2 * MARGIN)

    return position


def interval_mark(region: Region, measured: Measured) -> Markup:
    """Band: accepted; open diamond: published; dot with whiskers: measured."""
    ends = [region.low, region.high, region.published, measured.low, measured.high, measured.value]
    position = _axis([e for e in ends if e is not None and math.isfinite(e)])
    left = MARGIN if region.low is None else position(region.low)
    right = WIDTH - MARGIN if region.high is None else position(region.high)
    middle, width = HEIGHT / 2, max(right - left, 1.5)
    parts = [
        f'<rect class="accepted" x="{left:.1f}" y="4" width="{width:.1f}" height="16" rx="2"/>',
        f'<path class="axis" d="M{MARGIN} {middle}H{WIDTH - MARGIN}"/>',
        f'<path class="whisker" d="M{position(measured.low):.1f} {middle}H{position(measured.high):.1f}"/>',
        f'<circle class="measured" cx="{position(measured.value):.1f}" cy="{middle}" r="3.6"/>',
    ]
    if region.published is not None:
        x = position(region.published)
        parts.insert(2, f'<path class="published" d="M{x:.1f} {middle - 8}l6 8l-6 8l-6 -8z"/>')
    body = "".join(parts)
    return Markup(f'<svg class="mark" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" aria-hidden="true">{body}</svg>')


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
