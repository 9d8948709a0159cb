"""Figures for the web: the same pixels in at most 256 colours, a third of the bytes."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from sgdiffusion.errors import DataError
from sgdiffusion.gallery.files import existing

WIDEST = 1400  # pixels: a figure two columns wide at 200 dpi


def web_image(path: Path, widest: int = WIDEST, colours: int = 256) -> tuple[bytes, int, int]:
    """A PNG's pixels as a smaller PNG, with its width and height."""
    try:
        with Image.open(existing(path, "build the preset's figures first")) as image:
            pixels = image.convert("RGB")
    except UnidentifiedImageError:
        raise DataError(f"{path}: not an image") from None
    if pixels.width > widest:
        height = round(pixels.height * widest / pixels.width)
        pixels = pixels.resize((widest, height), Image.Resampling.LANCZOS)
    few = pixels.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    content = io.BytesIO()
    few.save(content, format="PNG", optimize=True)
    return content.getvalue(), pixels.width, pixels.height
