"""What a training of one seed is: its settings, its examples on the device, the names of its streams."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sgdiffusion import networks, streams
from sgdiffusion.config.models import Training
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training import arrays, augmentation, draws
from sgdiffusion.errors import TrainingError


@dataclass(frozen=True)
class Setup:
    """All that decides where a training ends, but for how its steps are taken."""

    settings: Training
    names: tuple[int, str, int]
    """Root seed, run family, index of the seed."""
    train: Examples
    test: Examples
    meta: dict[str, Any]
    """The same as plain data, with what rebuilds the network, and the digest of it all."""

    @property
    def title(self) -> str:
        return f"{self.names[1]} seed {self.names[2]}"

    @property
    def batch(self) -> int:
        """Examples of a step: all where there are fewer than the batch size."""
        return min(self.settings.batch_size, len(self.train))

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.train) // self.batch

    @property
    def device(self) -> torch.device:
        return self.train.x.device

    def order(self, epoch: int) -> Tensor:
        """(steps, b) indices into the training set."""
        sampling = self.settings.sampling
        found = draws.order(self.names, epoch, examples=len(self.train), batch=self.batch, sampling=sampling)
        return found.to(self.device)

    def choices(self, epoch: int) -> Tensor | None:
        """(steps, b, 3): how each example of the epoch is augmented, see `augmentation`."""
        if self.settings.augmentation == "none":
            return None
        generator = streams.generator(*self.names, "augmentation", epoch)
        drawn = augmentation.draw(generator, self.steps * self.batch)
        return torch.from_numpy(drawn).to(self.device).view(self.steps, self.batch, 3)

    def network(self) -> nn.Module:
        """The network as it starts."""
        spec = self.settings.network
        net = networks.build(
            spec.name,
            in_shape=tuple(self.train.x.shape[1:]),
            classes=self.meta["classes"],
            generator=torch.Generator().manual_seed(streams.seed(*self.names, "init")),
            init=spec.init,
            dropout=spec.dropout,
            **spec.sizes,
        )
        norms = nn.BatchNorm1d | nn.BatchNorm2d
        if self.batch == 1 and any(isinstance(m, norms) for m in net.modules()):
            raise TrainingError(
                f"training {self.names[1]}: batch-norm has no variance in batches of one example; "
                "set batch_size to at least 2"
            )
        return net.to(self.device, self.train.x.dtype)


def set_up(
    settings: Training,
    data: arrays.Splits,
    *,
    run_id: str,
    seed: int,
    root_seed: int,
    classes: int | None,
    device: torch.device,
    dtype: torch.dtype,
    code: str,
    trainer: str,
) -> Setup:
    """The data checked and on the device, and the digest that a resumed training has to share.

    `trainer` is the name of what takes the steps, `code` a digest of its code.
    """
    arrays.check(data)
    train = Examples(*arrays.to_device(data.x_train, data.y_train, device, dtype))
    test = Examples(*arrays.to_device(data.x_test, data.y_test, device, dtype))
    plain = settings.model_dump(mode="json", exclude={"assumptions", "seeds"})
    meta = {
        "run_id": run_id,
        "seed": seed,
        "root_seed": root_seed,
        "network": plain["network"],
        "in_shape": list(train.x.shape[1:]),
        "classes": classes or int(max(data.y_train.max(), data.y_test.max())) + 1,
        "epochs": settings.epochs,
        "settings": plain,
        "data_digest": arrays.digest(data),
        "dtype": str(dtype),
        "device": device.type,
        "trainer": trainer,
        "code": code,
    }
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()
    return Setup(settings, (root_seed, run_id, seed), train, test, meta | {"digest": digest})
