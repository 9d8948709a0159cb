"""Data sets: fetched and verified or embedded, prepared in one canonical order, stored with what they are.

data = load("data/prepared/digits/full.npz")     # what the rules stored
data = prepare(digits(), "digits", "full", real=False)   # the same, without files
"""

from sgdiffusion.data.content import Arrays, content_digest
from sgdiffusion.data.digits import digits
from sgdiffusion.data.preparation import PREPARATIONS, prepare
from sgdiffusion.data.store import Prepared, load, save, subset
from sgdiffusion.data.textures import textures, textures10, textures100

__all__ = [
    "PREPARATIONS",
    "Arrays",
    "Prepared",
    "content_digest",
    "digits",
    "load",
    "prepare",
    "save",
    "subset",
    "textures",
    "textures10",
    "textures100",
]
