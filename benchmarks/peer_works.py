"""What is compared with BackPACK, curvlinops, PyHessian, devinterp and plain torch.func: see bench.py.

Nets have their first weights and random images where the cost does not depend on them; the learning
coefficient needs a minimum, and its net is trained first.
"""

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from harness import Alone, Work
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

import sgdiffusion as sd
from sgdiffusion.data.moons import moons

Data = tuple[Tensor, Tensor]
Sides = tuple[Callable[[], Any], Callable[[], Any]]
DUAL = "ours estimates every way; of those below 0.2 s it takes the simplest, else the fastest"
LAYERS = "the way that forms no gradients, asked for by name"
TOP, RESIDUAL = 20, 1e-4  # eigenvalues asked for; both sides stop at residuals of this share of λ₁
CHAINS, DRAWS, BURN_IN, LOCALISATION = 8, 400, 200, 100.0


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


class _Whole(torch.utils.data.Dataset):
    """Hands out a batch at once, so that no time goes into collecting single examples."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data[0])

    def __getitems__(self, rows: list[int]) -> Data:
        return self.data[0][rows], self.data[1][rows]


def trained(data: Data) -> nn.Module:
    """2-16-16-2, near a minimum."""
    torch.manual_seed(0)
    layers = nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)
    net = nn.Sequential(*layers)
    for rate, steps in ((1e-2, 600), (1e-3, 300)):
        optimiser = torch.optim.Adam(net.parameters(), rate)
        for _ in range(steps):
            optimiser.zero_grad()
            functional.cross_entropy(net(data[0]), data[1]).backward()
            optimiser.step()
    return net.eval()


def by_devinterp(net: nn.Module, data: Data, step: float, n_beta: float) -> Callable[[], np.ndarray]:
    from devinterp.optim.sgld import SGLD
    from devinterp.slt.sampler import estimate_learning_coeff_with_summary

    model, size = copy.deepcopy(net), len(data[0])
    loader = torch.utils.data.DataLoader(_Whole(data), batch_size=size, collate_fn=lambda batch: batch)
    with torch.no_grad():
        baseline = float(functional.cross_entropy(model(data[0]), data[1]))

    def run() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = estimate_learning_coeff_with_summary(
                model,
                loader,
                evaluate=lambda module, batch: (functional.cross_entropy(module(batch[0]), batch[1]), {}),
                sampling_method=SGLD,
                optimizer_kwargs={"lr": step, "localization": LOCALISATION, "nbeta": n_beta},
                num_draws=DRAWS,
                num_chains=CHAINS,
                num_burnin_steps=BURN_IN,
                init_loss=baseline,
                seed=1,
                verbose=False,
            )
        return n_beta * (np.asarray(found["loss/trace"], float).mean(-1) - baseline)

    return run


def standard_errors(ours: np.ndarray, theirs: np.ndarray) -> float:
    """|difference of the means over chains| in its standard errors."""
    error = np.hypot(*(s.std(ddof=1) / np.sqrt(len(s)) for s in (ours, theirs)))
    return float(abs(ours.mean() - theirs.mean()) / error)


def coefficient_sides() -> Sides:
    x, y = moons(500, 0.3, np.random.default_rng(0))
    data = torch.from_numpy(x), torch.from_numpy(y)
    net = trained(data)

    def ours() -> sd.LearningCoefficient:
        chain = {"chains": CHAINS, "draws": DRAWS, "every": 1, "burn_in": BURN_IN, "rounds": 0}
        return sd.learning_coefficient(net, data, localisation=LOCALISATION, progress=False, **chain)

    first = ours()
    step = float(first.to_frame()["step_size"].iloc[0])  # the same in every call: one seed
    return lambda: ours().traces.mean(-1), by_devinterp(net, data, step, first.settings["n_beta"])


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

    def sides(method: str) -> Sides:
        known = sd.spectrum(net, data, k=TOP, method="dual", progress=False).eigenvalues
        ours = lambda: sd.spectrum(net, data, k=TOP, method=method, progress=False).eigenvalues  # noqa: E731
        return ours, by_curvlinops(net, data, known[-1] / known[0])

    for method, call in (("krylov", '`sd.spectrum(k=20, method="krylov")`'), ("auto", "`sd.spectrum(k=20)`")):
        yield Work(
            work=f"20 largest eigenvalues of D, convolutional net, d = {weights(net):,}, N = 300",
            ours=call,
            peer="curvlinops-for-pytorch",
            theirs="`EFLinearOperator` less ḡ ḡᵀ, `eigsh` of scipy",
            modules=("curvlinops",),
            sides=lambda method=method: sides(method),
            distance=spectral_distance,
            tolerance=2 * RESIDUAL,
            unit="of λ₁",
            note="both stop at residuals of 10⁻⁴ λ₁"
            if method == "krylov"
            else "ours takes the way that it estimates to be the fastest",
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
    yield Work(
        work="λ̂ of 2-16-16-2, n = 500, all in every step, 8 chains of 600 steps",
        ours="`sd.learning_coefficient`",
        peer="devinterp",
        theirs="`estimate_learning_coeff_with_summary`, `SGLD`",
        modules=("devinterp.optim.sgld", "devinterp.slt.sampler"),
        sides=coefficient_sides,
        distance=standard_errors,
        tolerance=3.0,
        unit="standard errors over chains",
        note="same w*, nβ, γ, ε, draws and L(w*); ours finds ε first, which its time includes, and averages "
        "the noise of two steps, while the Euler step there adds about ε nβ Tr ∇²L/8 to λ̂",
    )
    yield Alone(
        work="noise balance of rescaling symmetries; tests of recorded trajectories",
        ours="`sd.noise_balance`, `sd.trajectory`",
        peer="all four",
        note="none computes it",
    )
