"""Typed configuration: experiments, presets, claims and settings, read and validated here only."""

from sgdiffusion.config.load import Configuration, load_claims, parse_settings
from sgdiffusion.config.models import PAPERS, Claim, Data, PaperName, Preset, Region, Settings, Training

__all__ = [
    "PAPERS",
    "Claim",
    "Configuration",
    "Data",
    "PaperName",
    "Preset",
    "Region",
    "Settings",
    "Training",
    "load_claims",
    "parse_settings",
]
