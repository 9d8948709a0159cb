"""The public names of the package and where each is defined."""

PUBLIC = {
    "gradients": "sgdiffusion.library.spectra:gradients",
    "spectrum": "sgdiffusion.library.spectra:spectrum",
    "Spectrum": "sgdiffusion.library.spectra:Spectrum",
    "load": "sgdiffusion.library.results:load",
    "InputError": "sgdiffusion.errors:InputError",
    "UserError": "sgdiffusion.errors:UserError",
}
