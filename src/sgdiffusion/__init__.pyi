from sgdiffusion.errors import InputError as InputError
from sgdiffusion.errors import UserError as UserError
from sgdiffusion.library.balance import NoiseBalance as NoiseBalance
from sgdiffusion.library.balance import Symmetries as Symmetries
from sgdiffusion.library.balance import noise_balance as noise_balance
from sgdiffusion.library.balance import symmetries as symmetries
from sgdiffusion.library.coefficient import LearningCoefficient as LearningCoefficient
from sgdiffusion.library.coefficient import learning_coefficient as learning_coefficient
from sgdiffusion.library.dimension import WalkDimension as WalkDimension
from sgdiffusion.library.dimension import walk_dimension as walk_dimension
from sgdiffusion.library.hooks import lightning_callback as lightning_callback
from sgdiffusion.library.hooks import trainer_callback as trainer_callback
from sgdiffusion.library.recorder import TrajectoryRecorder as TrajectoryRecorder
from sgdiffusion.library.results import load as load
from sgdiffusion.library.spectra import Spectrum as Spectrum
from sgdiffusion.library.spectra import gradients as gradients
from sgdiffusion.library.spectra import spectrum as spectrum
from sgdiffusion.library.trajectories import Trajectory as Trajectory
from sgdiffusion.library.trajectories import trajectory as trajectory

__version__: str
