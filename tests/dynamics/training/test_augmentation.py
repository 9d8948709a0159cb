"""Flip-crop against a loop over examples, and the law of its draws."""

import numpy as np
import torch

from sgdiffusion.dynamics.training import augmentation


def one_by_one(images, choices, pad):
    out = []
    for image, (row, column, mirror) in zip(images.numpy(), choices.tolist(), strict=True):
        wide = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
        height, width = image.shape[1:]
        crop = wide[:, row : row + height, column : column + width]
        out.append(crop[:, :, ::-1] if mirror else crop)
    return np.stack(out)


def test_equals_the_loop_on_every_choice():
    pad = 2
    choices = np.array([[r, c, m] for r in range(5) for c in range(5) for m in (0, 1)])
    images = torch.randn(len(choices), 3, 6, 5, generator=torch.Generator().manual_seed(0))
    ours = augmentation.flip_crop(images, torch.from_numpy(choices), pad).numpy()
    np.testing.assert_array_equal(ours, one_by_one(images, choices, pad))


def test_centre_crop_without_mirror_is_the_identity():
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    choices = torch.tensor([[augmentation.PAD, augmentation.PAD, 0]] * 4)
    assert torch.equal(augmentation.flip_crop(images, choices), images)


def test_draws_are_uniform():
    drawn = augmentation.draw(np.random.default_rng(2), 90_000)
    for column, size in ((0, 9), (1, 9), (2, 2)):
        counts = np.bincount(drawn[:, column], minlength=size)
        assert len(counts) == size
        share = 1 / size
        error = np.sqrt(90_000 * share * (1 - share))
        assert abs(counts - 90_000 * share).max() < 4.5 * error  # 20 counts at 4.5 standard errors, seed 2


def test_augmented_set_holds_every_image_in_each_draw():
    images = np.random.default_rng(0).normal(size=(5, 3, 8, 8)).astype(np.float32)
    x, y = augmentation.augmented(images, np.arange(5), 3, np.random.default_rng(1))
    assert x.shape == (15, 3, 8, 8)
    assert y.tolist() == [0, 1, 2, 3, 4] * 3
    again, _ = augmentation.augmented(images, np.arange(5), 3, np.random.default_rng(1))
    assert torch.equal(x, again)
    assert not torch.equal(x[:5], x[5:10])
