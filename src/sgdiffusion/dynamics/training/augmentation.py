"""Flip-crop augmentation: mirror with probability ½ and a random crop of the padded image, per example."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

PAD = 4


def draw(generator: np.random.Generator, count: int, pad: int = PAD) -> NDArray[np.int64]:
    """(count, 3): row and column offset of the crop, uniform on 0..2·pad, and mirror, uniform on {0, 1}."""
    high = np.array([2 * pad + 1, 2 * pad + 1, 2])
    return generator.integers(0, high, size=(count, 3))


def flip_crop(images: Tensor, choices: Tensor, pad: int = PAD) -> Tensor:
    """Images (n, channels, height, width), zero-padded by `pad`, cropped and mirrored by `choices` (n, 3).

    Zero is the mean of a normalised image, so that the border carries no edge of its own.
    """
    height, width = images.shape[2:]
    padded = F.pad(images, (pad, pad, pad, pad))
    crops = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: (n, c, offsets, offsets, h, w)
    example = torch.arange(len(images), device=images.device)
    cropped = crops[example, :, choices[:, 0], choices[:, 1]]
    return torch.where(choices[:, 2].bool()[:, None, None, None], cropped.flip(3), cropped)


def augmented(
    images: NDArray[np.float32], labels: NDArray[np.int64], draws: int, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Every image in `draws` independent versions, and their labels: a sample of what training sees."""
    choices = torch.from_numpy(draw(generator, draws * len(images))).view(draws, len(images), 3)
    versions = [flip_crop(torch.from_numpy(images), chosen) for chosen in choices]
    return torch.cat(versions), torch.from_numpy(labels).repeat(draws)
