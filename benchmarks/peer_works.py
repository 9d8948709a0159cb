"""What is compared with BackPACK, curvlinops, PyHessian, devinterp and plain torch.func: see bench.py.

Nets have their first weights and random images: the cost does not depend on them.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import coefficient_works
import numpy as np
import torch
from harness import Alone, Work
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vjp, vmap
from torch.nn import functional

import sgdiffusion as sd

Data = tuple[Tensor, Tensor]
Sides = tuple[Callable[[], Any], Callable[[], Any]]
DUAL = "ours estimates every way; of those below 0.2 s it takes the simplest, else the fastest"
LAYERS = "the way that forms no gradients, asked for by name"
TOP, RESIDUAL = 20, 1e-4  # eigenvalues asked for; both sides stop at residuals of this share of λ₁


def images(examples: int) -> Data:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(examples, 1, 28, 28, generator=generator), torch.arange(examples) % 10


def convolutional(channels: int, hidden: int) -> nn.Module:
    """Two convolutions with pooling, two linear layers; built of what BackPACK knows."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    layers += [nn.Linear(98 * channels, hidden), nn.ReLU(), nn.Linear(hidden, 10)]
    return nn.Sequential(*layers).eval()


def perceptron() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)).eval()


def weights(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def rounding(net: nn.Module) -> float:
    """2√d·ε: rounding errors of sums of d numbers in float32, at random, on both sides."""
    return 2 * float(np.sqrt(weights(net))) * float(np.finfo(np.float32).eps)


def rows_of(gradients: list[Tensor], dim: int) -> Tensor:
    return torch.cat([g.flatten(1) for g in gradients], dim)


def gradient_distance(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Ours are blocks of examples; theirs one tensor for each weight tensor, or one of all."""
    expected = rows_of(theirs, 1)
    return float((rows_of(ours, 0) - expected).abs().max() / expected.abs().max())


def spectral_distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / theirs.max())


def by_backpack(net: nn.Module, data: Data) -> Callable[[], list[Tensor]]:
    from backpack import backpack, extend
    from backpack.extensions import BatchGrad

    model, loss = extend(copy.deepcopy(net)), extend(nn.CrossEntropyLoss(reduction="sum"))

    def run() -> list[Tensor]:
        with backpack(BatchGrad()):
            loss(model(data[0]), data[1]).backward()
        found = []
        for weight in (p for p in model.parameters() if p.requires_grad):
            found.append(weight.grad_batch)
            del weight.grad_batch
            weight.grad = None
        return found

    return run


def by_vmap(net: nn.Module, data: Data) -> Callable[[], list[Tensor]]:
    """As torch's tutorial on per-sample gradients writes it."""
    held = {name: weight.detach() for name, weight in net.named_parameters() if weight.requires_grad}

    def loss(held: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(net, held, (x[None],)), y[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))
    return lambda: list(each(held, *data).values())


def dual_spectrum(gradients: Callable[[], list[Tensor]]) -> np.ndarray:
    """All eigenvalues of D that can differ from zero, from the peer's gradients by three lines of torch."""
    rows = rows_of(gradients(), 1)
    rows -= rows.mean(0)
    return torch.linalg.eigvalsh(rows @ rows.T / len(rows)).flip(0).numpy()


def by_curvlinops(net: nn.Module, data: Data, share: float) -> Callable[[], np.ndarray]:
    """scipy's Lanczos on curvlinops' empirical Fisher, less ḡ ḡᵀ: that is D.

    `share`: λ_TOP/λ₁. ARPACK stops at residuals below tol·λ for each λ, we at RESIDUAL·λ₁.
    """
    from curvlinops import EFLinearOperator

    loss, model = nn.CrossEntropyLoss(), copy.deepcopy(net)
    held = list(model.parameters())
    fisher = EFLinearOperator(model, loss, held, [data], check_deterministic=False).to_scipy()

    def run() -> np.ndarray:
        mean = torch.autograd.grad(loss(model(data[0]), data[1]), held)
        g = torch.cat([m.flatten() for m in mean]).numpy()
        noise = LinearOperator(
            fisher.shape, matvec=lambda v: fisher @ v.ravel() - g * (g @ v.ravel()), dtype=np.float32
        )
        start = np.random.default_rng(0).standard_normal(len(g)).astype(np.float32)
        values = eigsh(noise, TOP, v0=start, tol=RESIDUAL / share, return_eigenvectors=False)
        return np.sort(values)[::-1]

    return run


def by_products(net: nn.Module, data: Data, share: float) -> Callable[[], np.ndarray]:
    """scipy's Lanczos on D v = Jᵀ (J v − mean) / N, J the derivatives of single losses; `share` as above.

    One product forward and one backward through the whole batch; no gradient of an example is formed.
    """
    held = {name: weight.detach() for name, weight in net.named_parameters()}
    sizes, shapes = [w.numel() for w in held.values()], [w.shape for w in held.values()]

    def losses(vector: Tensor) -> Tensor:
        parts = [p.view(s) for p, s in zip(vector.split(sizes), shapes, strict=True)]
        outputs = functional_call(net, dict(zip(held, parts, strict=True)), (data[0],))
        return functional.cross_entropy(outputs, data[1], reduction="none")

    point = nn.utils.parameters_to_vector(held.values())

    def product(v: np.ndarray) -> np.ndarray:
        along = jvp(losses, (point,), (torch.from_numpy(v.ravel()),))[1]
        return vjp(losses, point)[1]((along - along.mean()) / len(along))[0].numpy()

    def run() -> np.ndarray:
        noise = LinearOperator((len(point), len(point)), matvec=product, dtype=np.float32)
        start = np.random.default_rng(0).standard_normal(len(point)).astype(np.float32)
        values = eigsh(noise, TOP, v0=start, tol=RESIDUAL / share, return_eigenvectors=False)
        return np.sort(values)[::-1]

    return run


def as_matrix(by: Callable[[nn.Module, Data], Callable[[], list[Tensor]]]) -> Callable[..., Any]:
    """The same with all weights' gradients in one matrix, as D needs them and as ours come."""

    def ready(net: nn.Module, data: Data) -> Callable[[], list[Tensor]]:
        run = by(net, data)
        return lambda: [rows_of(run(), 1)]

    return ready


def gradient_works(examples: int = 1000) -> Iterator[Work]:
    net, data = convolutional(8, 32), images(examples)
    floor = "floor: writing N × d numbers"
    parts = f"less work there: a tensor for each weight tensor, which ours writes into one matrix; {floor}"
    for peer, theirs, modules, by, note in (
        ("backpack-for-pytorch", "`BatchGrad`", ("backpack",), by_backpack, parts),
        ("torch", "`vmap(grad)`, one matrix", (), as_matrix(by_vmap), f"ours calls it too; {floor}"),
    ):
        yield Work(
            work=f"per-example gradients, convolutional net, d = {weights(net):,}, N = {examples:,}",
            ours="`sd.gradients`",
            peer=peer,
            theirs=theirs,
            modules=modules,
            sides=lambda by=by: (lambda: list(sd.gradients(net, data)), by(net, data)),
            distance=gradient_distance,
            tolerance=rounding(net),
            unit="of the largest entry",
            note=note,
            floor=lambda f: 4.0 * examples * weights(net) / f.copied,
        )


def full_spectra() -> Iterator[Work]:
    data, wide = images(300), perceptron()
    for name, net, method, call in (
        ("convolutional net", convolutional(8, 32), "auto", "`sd.spectrum`"),
        ("784-256-10", wide, "auto", "`sd.spectrum`"),
        ("784-256-10", wide, "layers", '`sd.spectrum(method="layers")`'),
    ):

        def sides(net: nn.Module = net, method: str = method) -> Sides:
            peer = by_backpack(net, data)
            ours = lambda: sd.spectrum(net, data, method=method, progress=False).eigenvalues  # noqa: E731
            return ours, lambda: dual_spectrum(peer)

        yield Work(
            work=f"all 300 eigenvalues of D, {name}, d = {weights(net):,}, N = 300",
            ours=call,
            peer="backpack-for-pytorch",
            theirs="`BatchGrad`, centred, `eigvalsh` of the N × N dual",
            modules=("backpack",),
            sides=sides,
            distance=spectral_distance,
            tolerance=rounding(net),
            unit="of λ₁",
            note=LAYERS if method == "layers" else DUAL,
        )


def top_eigenvalues() -> Iterator[Work]:
    net, data = convolutional(16, 64), images(300)

    def sides(method: str, by: Callable[..., Callable[[], np.ndarray]]) -> Sides:
        known = sd.spectrum(net, data, k=TOP, method="dual", progress=False).eigenvalues
        ours = lambda: sd.spectrum(net, data, k=TOP, method=method, progress=False).eigenvalues  # noqa: E731
        return ours, by(net, data, known[-1] / known[0])

    fisher = "curvlinops-for-pytorch", "`EFLinearOperator` less ḡ ḡᵀ, `eigsh` of scipy", ("curvlinops",)
    products = "scipy", "`eigsh` on D v by `jvp` and `vjp` of torch", ()
    fast, same = "ours takes the way that it estimates to be the fastest", "both stop at residuals of 10⁻⁴ λ₁"
    for (peer, theirs, modules), by in ((fisher, by_curvlinops), (products, by_products)):
        for method, option, note in (("krylov", ', method="krylov"', same), ("auto", "", fast)):
            yield Work(
                work=f"20 largest eigenvalues of D, convolutional net, d = {weights(net):,}, N = 300",
                ours=f"`sd.spectrum(k=20{option})`",
                peer=peer,
                theirs=theirs,
                modules=modules,
                sides=lambda method=method, by=by: sides(method, by),
                distance=spectral_distance,
                tolerance=2 * RESIDUAL,
                unit="of λ₁",
                note=note,
            )


def works() -> Iterator[Work | Alone]:
    yield from gradient_works()
    yield from full_spectra()
    yield from top_eigenvalues()
    yield Alone(
        work="20 largest eigenvalues of D",
        ours="`sd.spectrum(k=20)`",
        peer="pyhessian",
        note="PyHessian's eigenvalues, trace and density are those of the Hessian, another matrix than D",
    )
    yield from coefficient_works.works()
    yield Alone(
        work="noise balance of rescaling symmetries; tests of recorded trajectories",
        ours="`sd.noise_balance`, `sd.trajectory`",
        peer="all of them",
        note="none computes it",
    )
