"""The public names of the package and where each is defined."""

PUBLIC = {
    "gradients": "sgdiffusion.library.spectra:gradients",
    "spectrum": "sgdiffusion.library.spectra:spectrum",
    "Spectrum": "sgdiffusion.library.spectra:Spectrum",
    "learning_coefficient": "sgdiffusion.library.coefficient:learning_coefficient",
    "LearningCoefficient": "sgdiffusion.library.coefficient:LearningCoefficient",
    "symmetries": "sgdiffusion.library.balance:symmetries",
    "Symmetries": "sgdiffusion.library.balance:Symmetries",
    "noise_balance": "sgdiffusion.library.balance:noise_balance",
    "NoiseBalance": "sgdiffusion.library.balance:NoiseBalance",
    "TrajectoryRecorder": "sgdiffusion.library.recorder:TrajectoryRecorder",
    "lightning_callback": "sgdiffusion.library.hooks:lightning_callback",
    "trainer_callback": "sgdiffusion.library.hooks:trainer_callback",
    "trajectory": "sgdiffusion.library.trajectories:trajectory",
    "Trajectory": "sgdiffusion.library.trajectories:Trajectory",
    "walk_dimension": "sgdiffusion.library.dimension:walk_dimension",
    "WalkDimension": "sgdiffusion.library.dimension:WalkDimension",
    "load": "sgdiffusion.library.results:load",
    "InputError": "sgdiffusion.errors:InputError",
    "UserError": "sgdiffusion.errors:UserError",
}
