"""Typed configuration: experiments, presets, claims and settings, read and validated here only."""

from sgdiffusion.config.load import Configuration, load_claims, parse_settings
from sgdiffusion.config.models import Claim, Data, Preset, Region, Settings, Training

__all__ = [
    "Claim",
    "Configuration",
    "Data",
    "Preset",
    "Region",
    "Settings",
    "Training",
    "load_claims",
    "parse_settings",
]
