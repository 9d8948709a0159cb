"""Figures inside the page: SVG whose colours follow the page's scheme, light or dark.

In the dark, black on white becomes light on dark; the style's colours stay, which show on both; others, such
as the shades of a palette, are mirrored in lightness, so that what stands out on white stands out there too.
A drawing with an image inside keeps its colours, which are the image's.
"""

import colorsys
import re
from pathlib import Path

from markupsafe import Markup, escape

from sgdiffusion.gallery.files import existing

_GROUND, _INK = (0x1D, 0x21, 0x25), (0xE6, 0xE4, 0xDF)  # --raised and --ink of the page's dark scheme
_GREY_UP_TO = 24  # difference of the channels up to which a colour counts as grey
_HEX = re.compile(r"#([0-9a-fA-F]{6})\b")
_OWN = re.compile(r"var\(--([ck])([0-9a-f]{6})\)")
KEPT = ("0072b2", "d55e00", "009e73", "cc79a7", "e69f00", "56b4e9", "f0e442")  # the style's; a test compares


def inline(path: Path, name: str, alt: str) -> Markup:
    """The drawing with ids of its own on the page, its colours as variables, and what it shows in words."""
    text = existing(path, "build the preset's figures first").read_text(encoding="utf-8")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    kind = "k" if "<image" in text else "c"
    head, body = text.split(">", 1)
    body = _HEX.sub(lambda m: f"var(--{kind}{m[1].lower()})", body).removesuffix("</svg>")
    head = head.replace(' xmlns="http://www.w3.org/2000/svg"', "")
    label = f'class="drawing" role="img" aria-label="{escape(alt)}"'
    return Markup(f'{head} {label}><g id="{name}-drawing">{body}</g></svg>')


def width(drawing: str) -> float:
    """Its width in points."""
    found = re.search(r'viewBox="\S+ \S+ (\S+)', drawing)
    return float(found[1]) if found else 0.0


def palette(html: str) -> Markup:
    """The variables that the page's drawings name, for light and for dark screens."""
    used = sorted(set(_OWN.findall(html)))
    light = "".join(f"--{k}{c}:#{c};" for k, c in used)
    dark = "".join(f"--{k}{c}:{in_the_dark(c, mirrored=k == 'c')};" for k, c in used)
    rule = f".drawing{{{light}}}@media screen and (prefers-color-scheme:dark){{.drawing{{{dark}}}}}"
    return Markup(rule)


def in_the_dark(colour: str, mirrored: bool = True) -> str:
    """What six hexadecimal digits become on a dark ground."""
    red, green, blue = channels = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
    if max(channels) - min(channels) <= _GREY_UP_TO:
        share = sum(channels) / 3 / 255
        mixed = [round(i + share * (g - i)) for i, g in zip(_INK, _GROUND, strict=True)]
        return "#" + "".join(f"{v:02x}" for v in mixed)
    if not mirrored or colour in KEPT:
        return f"#{colour}"
    hue, lightness, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    turned = colorsys.hls_to_rgb(hue, min(max(1.05 - lightness, 0.25), 0.92), saturation)
    return "#" + "".join(f"{round(255 * v):02x}" for v in turned)
