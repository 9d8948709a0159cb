"""The embedded textures: reproducible, balanced, of fixed classes, and a fair task."""

import numpy as np
import pytest
import torch
from torch import nn

from sgdiffusion.data.preparation import full, prepare
from sgdiffusion.data.textures import _coloured_noise, draw_classes, textures, textures10, textures100
from sgdiffusion.streams import generator


def test_textures_are_the_same_every_time():
    for one, other in zip(textures(10, 60, 20), textures(10, 60, 20), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(textures(10, 60, 20).x_train, textures(10, 60, 20, seed=1).x_train)


def test_sizes_types_and_balance():
    arrays = textures(10, 605, 33)
    assert arrays.x_train.shape == (605, 32, 32, 3)
    assert arrays.x_test.shape == (33, 32, 32, 3)
    assert all(array.dtype == np.uint8 for array in arrays)
    counts = np.bincount(arrays.y_train, minlength=10)
    assert counts.max() - counts.min() <= 1


def test_the_test_split_does_not_depend_on_the_size_of_the_training_split():
    np.testing.assert_array_equal(textures(10, 20, 30).x_test, textures(10, 50, 30).x_test)


def test_the_named_sets_have_their_classes():
    assert set(textures10(n_train=40, n_test=10).y_train) == set(range(10))
    assert set(textures100(n_train=200, n_test=100).y_test) == set(range(100))


def test_classes_cover_their_ranges():
    laws = draw_classes(4000, generator(0, "test"))
    assert laws.angle.min() >= 0
    assert laws.angle.max() <= np.pi
    assert np.exp(laws.log_frequency).min() == pytest.approx(2, rel=0.01)
    assert np.exp(laws.log_frequency).max() == pytest.approx(7, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(laws.colour, axis=-1), 1)


def test_noise_is_correlated_as_stated():
    """Seed 0, 2,000 images. Correlations of 1/f noise have standard errors of at most 0.01 here."""
    noise = _coloured_noise(2000, np.random.default_rng(0))
    red, green = noise[..., 0].ravel(), noise[..., 1].ravel()
    assert np.corrcoef(red, green)[0, 1] == pytest.approx(39 / 43, abs=0.03)
    power = np.mean(np.abs(np.fft.fft(noise[:, 0, :, 0], axis=1)) ** 2, axis=0)
    near = np.corrcoef(noise[:, :, :-1, 0].ravel(), noise[:, :, 1:, 0].ravel())[0, 1]
    assert near > 0.5  # white noise has 0
    assert power[1] > 5 * power[12]


def spectra(images):
    """Log power spectra, which do not see phases."""
    return np.log1p(np.abs(np.fft.fft2(images.astype(float), axes=(1, 2)))).reshape(len(images), -1)


def test_classes_are_told_apart_by_their_mean_spectra_but_not_perfectly():
    """1,500 training and 300 test images; chance 0.1 with a standard error of 0.017."""
    arrays = textures(10, 1500, 300)
    train, test = spectra(arrays.x_train), spectra(arrays.x_test)
    means = np.stack([train[arrays.y_train == c].mean(axis=0) for c in range(10)])
    guess = np.argmin(((test[:, None] - means) ** 2).sum(axis=2), axis=1)
    assert 0.3 < np.mean(guess == arrays.y_test) < 0.95


def accuracy(data, classes, epochs):
    """Test accuracy of a small convolutional net (11,000 weights) after a few epochs of SGD."""
    torch.manual_seed(0)

    def block(inputs, outputs, stride):
        return [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU()]

    layers = [*block(3, 16, 1), *block(16, 16, 2), *block(16, 32, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(32, classes))
    optimiser = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, nesterov=True)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
    net.eval()
    with torch.no_grad():
        guess = net(torch.from_numpy(data.x_test)).argmax(1).numpy()
    return np.mean(guess == data.y_test)


def test_a_small_convolutional_net_learns_ten_classes_but_not_perfectly():
    """A fifth of the set, chance 0.1: above three times chance already, and never perfect."""
    data = prepare(textures10(n_train=1000, n_test=500), "textures10", "full", full, real=False)
    assert 0.3 < accuracy(data, 10, epochs=6) < 0.97


@pytest.mark.slow
def test_a_small_convolutional_net_on_the_whole_sets():
    ten = accuracy(prepare(textures10(), "textures10", "full", full, real=False), 10, epochs=10)
    hundred = accuracy(prepare(textures100(), "textures100", "full", full, real=False), 100, epochs=10)
    assert 0.6 < ten < 0.95
    assert 0.1 < hundred < 0.9
