"""D in full, with its spectrum, beside what libraries of per-example gradients and torch give.

Of the two convolutional nets of Chaudhari & Soatto the first layers, with more examples than weights: all
eigenvalues of all weights take minutes a call. The gradients still go backward through the whole net.
"""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from floors import Floors, eigenvalues
from harness import Alone, Work, largest_share
from peer_works import (
    Data,
    Sides,
    by_backpack,
    by_vmap,
    convolutional,
    images,
    rounding,
    rows_of,
    spectral_distance,
)
from torch import Tensor, nn

from sgdiffusion import networks
from sgdiffusion.measures.noise.diffusion import DiffusionMatrix, diffusion_matrix
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.spectra import eigenvalues as spectrum_of

PART = 500  # examples whose gradients a peer takes at once
By = Callable[[nn.Module, Data], Callable[[], list[Tensor]]]


def by_opacus(net: nn.Module, data: Data) -> Callable[[], list[Tensor]]:
    from opacus.grad_sample import GradSampleModule

    model = GradSampleModule(copy.deepcopy(net), loss_reduction="sum").train()  # in evaluation none are kept
    loss = nn.CrossEntropyLoss(reduction="sum")

    def run() -> list[Tensor]:
        loss(model(data[0]), data[1]).backward()
        held = [p for p in model.parameters() if p.requires_grad]
        found = [p.grad_sample for p in held]
        for p in held:
            p.grad_sample = p.grad = None
        return found

    return run


def all_rows(by: By, net: nn.Module, data: Data) -> Callable[[], Tensor]:
    """The gradients of all examples, part by part, as one centred matrix."""
    parts = [by(net, (x, y)) for x, y in zip(*(torch.split(d, PART) for d in data), strict=True)]

    def run() -> Tensor:
        rows = torch.cat([rows_of(part(), 1) for part in parts])
        return rows.sub_(rows.mean(0))

    return run


def full_product(rows: Tensor) -> Tensor:
    return rows.T @ rows / len(rows)


def first_layers(name: str, shape: tuple[int, ...], layers: int) -> nn.Module:
    """A net of the paper of which only the first layers are differentiated; batch-norms and ReLUs count."""
    net = networks.build(name, in_shape=shape, classes=10, generator=torch.Generator().manual_seed(0))
    for parameter, weight in net.named_parameters():
        weight.requires_grad_(int(parameter.partition(".")[0]) < layers)
    return net.eval()


def lenet() -> tuple[str, nn.Module, Data]:
    return "the convolutions of small-lenet", first_layers("small-lenet", (1, 28, 28), 10), images(8_000)


def allcnn() -> tuple[str, nn.Module, Data]:
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(2_000, 3, 32, 32, generator=generator), torch.arange(2_000) % 10
    net = first_layers("small-allcnn", (3, 32, 32), 7)
    return "the first two of nine convolutions of small-allcnn", net, data


def small() -> tuple[str, nn.Module, Data]:
    return "convolutional net", convolutional(2, 8), images(4000)


def trained_weights(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def sides(by: By, net: nn.Module, data: Data) -> Sides:
    rows = all_rows(by, net, data)
    return (
        lambda: spectrum_of(diffusion_matrix(PerExampleGradients(net, data))),
        lambda: torch.linalg.eigvalsh(full_product(rows())).flip(0).numpy(),
    )


def spectrum_works() -> Iterator[Work]:
    vmap = "torch", "`vmap(grad)`", (), by_vmap
    backpack = "backpack-for-pytorch", "`BatchGrad`", ("backpack",), by_backpack
    opacus = "opacus", "`GradSampleModule`", ("opacus",), by_opacus
    cases = (small(), [vmap, opacus]), (lenet(), [vmap, backpack]), (allcnn(), [vmap, backpack])
    for (name, net, data), peers in cases:
        d = trained_weights(net)

        def floor(f: Floors, d: int = d, n: int = len(data[0])) -> float:
            return n * d**2 / 2 / f.products + eigenvalues(d)

        for peer, theirs, modules, by in peers:
            yield Work(
                work=f"D in full and all its eigenvalues, {name}, d = {d:,}, N = {len(data[0]):,}",
                ours="`diffusion_matrix`, `eigenvalues`",
                peer=peer,
                theirs=f"{theirs}, a full product, `eigvalsh`",
                modules=modules,
                sides=lambda by=by, net=net, data=data: sides(by, net, data),
                distance=spectral_distance,
                tolerance=rounding(net) * 10,  # eigenvalues of a d × d matrix in single precision
                unit="of λ₁",
                note="floor: half of the product and the eigenvalues, gradients left out",
                floor=floor,
            )


def norms(matrix: DiffusionMatrix) -> np.ndarray:
    return np.array([matrix.trace(), matrix.frobenius()])


def norm_works() -> Iterator[Work]:
    """What is left if eigenvalues cost nothing: no way to those above the threshold can gain more."""
    name, net, data = lenet()
    d, n = trained_weights(net), len(data[0])

    def both() -> Sides:
        rows = all_rows(by_vmap, net, data)

        def theirs() -> np.ndarray:
            product = full_product(rows())
            # single precision is off by 10⁻³ in a sum of so many squares
            norm = torch.linalg.vector_norm(product, dtype=torch.float64)
            return np.array([float(product.diagonal().double().sum()), float(norm)])

        return lambda: norms(diffusion_matrix(PerExampleGradients(net, data))), theirs

    yield Work(
        work=f"exact trace and Frobenius norm of D, no eigenvalues, {name}, d = {d:,}, N = {n:,}",
        ours="`diffusion_matrix`, `.trace()`, `.frobenius()`",
        peer="torch",
        theirs="`vmap(grad)`, a full product, sums in double precision",
        modules=(),
        sides=both,
        distance=largest_share,
        tolerance=rounding(net) * 10,
        unit="of the trace",
        note="floor: half of the product, gradients left out",
        floor=lambda f: n * d**2 / 2 / f.products,
    )


def works() -> Iterator[Work | Alone]:
    yield from spectrum_works()
    yield Alone(
        work="D in full and all its eigenvalues, small-lenet and small-allcnn",
        ours="`diffusion_matrix`, `eigenvalues`",
        peer="opacus",
        note="it refuses layers with buffers, which batch-norm has",
    )
    yield from norm_works()
