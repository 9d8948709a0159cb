"""The N×N matrix of gradient products layer by layer, without the gradients (N × d numbers).

A linear layer or convolution that saw a_t at the places t of an example and got back δ_t = ∂ℓ/∂o_t has the
gradient Σ_t δ_t a_tᵀ (a_t are the patches of a convolution), so that

    g_k · g_l = Σ_layers Σ_{t,s} (a_t^k · a_s^l)(δ_t^k · δ_s^l).

One ordinary pass over the examples in batches tells a and δ; per layer the cheaper of two ways is taken:
these products, or the layer's own gradients, slice by slice. Other layers (norms, embeddings) give their
gradients by `torch.func` from what they saw; weights used outside of layers or tied between them, by the
general path.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.measures.noise.diffusion import Convention, DiffusionMatrix, normalisation
from sgdiffusion.measures.noise.gradients import PerExampleGradients

BATCH = 32  # examples of one pass
WORK_BYTES = 2**28  # one slice of a layer's gradients, or one tile of products
AGREES = 1e-3  # relative: the products of three examples against their gradients, in single precision


@dataclass
class Layers:
    """What the layers saw (a) and got back (δ), by module name; the weights that this does not tell."""

    seen: dict[str, list[tuple[Tensor, Tensor]]] = field(default_factory=lambda: defaultdict(list))
    rest: list[str] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for pairs in self.seen.values() for pair in pairs for part in pair)


def layered_gram(
    gradients: PerExampleGradients,
    convention: Convention,
    progress: Callable[[int, int], None] | None = None,
) -> DiffusionMatrix:
    """K_kl = (g_k − ḡ)·(g_l − ḡ)/N (or /(N−1)) as `diffusion.gram_matrix` has it, ḡ left out.

    Its products are checked against the gradients of three examples: a module whose layers are not used as
    modules is refused.
    """
    assert isinstance(gradients.data, Inputs)
    layers = record(gradients, gradients.data, progress)
    examples = len(gradients.data)
    total = np.zeros((examples, examples))
    for name, pairs in layers.seen.items():
        total += layer_products(gradients.module.get_submodule(name), pairs)
    if layers.rest:
        total += _rest(gradients, layers.rest)
    total = centred(total)
    _check(gradients, total)
    scale = normalisation(examples, convention)
    return DiffusionMatrix(np.asfortranarray(scale * total), np.empty(0), examples, convention, "float32")


def centred(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """(g_k − ḡ)·(g_l − ḡ) from g_k·g_l."""
    rows = products.mean(0, keepdims=True)
    return products - rows - rows.T + rows.mean()


def record(
    gradients: PerExampleGradients,
    inputs: Inputs,
    progress: Callable[[int, int], None] | None = None,
) -> Layers:
    """One pass over the examples with a hook at every module that owns trainable weights."""
    layers = Layers()
    owners, layers.rest = _owners(gradients.module)
    batches: list[Layers] = []
    done = 0
    for batch in inputs.batches(BATCH):
        batches.append(_record_batch(gradients, owners, batch))
        done += min(BATCH, len(inputs) - done)
        if progress is not None:
            progress(done, len(inputs))
    lost = {name for b in batches for name in b.rest}
    for name in owners:
        uses = [b.seen.get(name, []) for b in batches]
        if name in lost or len({len(u) for u in uses}) > 1:
            lost.add(name)
            continue
        for pairs in zip(*uses, strict=True):
            layers.seen[name].append((torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs])))
        if not uses[0]:
            lost.add(name)  # weights that no call of this module uses
    layers.rest += [f"{name}.{key}".lstrip(".") for name in sorted(lost) for key in _own(owners[name])]
    return layers


def _own(module: nn.Module) -> list[str]:
    return [key for key, p in module.named_parameters(recurse=False) if p.requires_grad]


def _owners(model: nn.Module) -> tuple[dict[str, nn.Module], list[str]]:
    """Modules with trainable weights of their own, and the names of weights that are tied between modules."""
    owners = {name: m for name, m in model.named_modules() if _own(m)}
    uses: dict[int, set[str]] = defaultdict(set)
    for name, p in model.named_parameters(remove_duplicate=False):
        uses[id(p)].add(name.rpartition(".")[0])
    tied = {owner for p in model.parameters() if len(uses[id(p)]) > 1 for owner in uses[id(p)]}
    first_names = [name for name, p in model.named_parameters() if p.requires_grad]
    rest = [name for name in first_names if name.rpartition(".")[0] in tied]
    return {name: m for name, m in owners.items() if name not in tied}, rest


def _record_batch(gradients: PerExampleGradients, owners: dict[str, nn.Module], batch: Any) -> Layers:
    calls: list[tuple[str, Tensor, int, Tensor]] = []
    out = Layers()

    def keep(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
            if len(arguments) != 1 or not all(isinstance(v, Tensor) for v in (*arguments, output)):
                out.rest.append(name)
                return None
            calls.append((name, arguments[0], arguments[0]._version, output))
            return output.clone()  # so that an activation in place does not overwrite what is kept

        return hook

    handles = [m.register_forward_hook(keep(name)) for name, m in owners.items()]
    try:
        with torch.enable_grad():
            losses = gradients.example_losses(batch)
            slopes = torch.autograd.grad(losses.sum(), [c[3] for c in calls], allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    for (name, before, version, output), slope in zip(calls, slopes, strict=True):
        by_example = len(before) == len(output) == len(losses) if before.ndim and output.ndim else False
        if slope is None or not by_example or before._version != version:
            out.rest.append(name)
        else:
            out.seen[name].append((before.detach(), slope))
    return out


def layer_products(layer: nn.Module, pairs: list[tuple[Tensor, Tensor]]) -> NDArray[np.float64]:
    """Σ of g_k·g_l over the weights of one layer, (N, N); weights' parts may be centred already."""
    examples = len(pairs[0][0])
    total = torch.zeros(examples, examples, dtype=torch.float64)
    if not isinstance(layer, nn.Linear) and not _plain_convolution(layer):
        total += _general_products(layer, pairs)
        return total.cpu().numpy()
    if layer.weight.requires_grad:
        total += _weight_products(layer, pairs)
    if layer.bias is not None and layer.bias.requires_grad:
        channel = -1 if isinstance(layer, nn.Linear) else 1
        bias = sum(
            slope.movedim(channel, -1).reshape(examples, -1, slope.shape[channel]).sum(1)
            for _, slope in pairs
        )
        total += _gram(torch.as_tensor(bias))
    return total.cpu().numpy()


def _plain_convolution(layer: nn.Module) -> bool:
    if not isinstance(layer, nn.Conv2d):
        return False
    return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _places(layer: nn.Module, before: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """a (n, T, in) and δ (n, T, out) of examples."""
    if isinstance(layer, nn.Linear):
        shape = (len(before), -1)
        return before.reshape(*shape, before.shape[-1]), slope.reshape(*shape, slope.shape[-1])
    assert isinstance(layer, nn.Conv2d)
    patches = F.unfold(before, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
    return patches.transpose(1, 2), slope.flatten(2).transpose(1, 2)


def _weight_products(layer: Any, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    examples = len(pairs[0][0])

    def part(rows: slice) -> tuple[Tensor, Tensor]:
        both = [_places(layer, before[rows], slope[rows]) for before, slope in pairs]
        if len(both) == 1:
            return both[0]  # not copied
        return torch.cat([a for a, _ in both], 1), torch.cat([b for _, b in both], 1)

    a, b = part(slice(0, 1))
    places, wide, out = a.shape[1], a.shape[2], b.shape[2]
    by_places, by_gradients = products_cost(examples, places, wide, out)
    if by_places < by_gradients:
        return _place_products(part, examples, places)
    return _gradient_products(part, examples, places, wide, out)


def products_cost(examples: int, places: int, wide: int, out: int) -> tuple[float, float]:
    """Operations by places (in double precision, which counts twice) and by gradients."""
    by_places = 2.0 * examples**2 * places**2 * (wide + out)
    return by_places, float(wide * out * examples * (places + examples))


def _place_products(part: Callable[[slice], tuple[Tensor, Tensor]], examples: int, places: int) -> Tensor:
    """Σ_{t,s} (a_t·a_s)(δ_t·δ_s), tile by tile on and below the diagonal, in double precision."""
    tile = max(1, int((WORK_BYTES / 16) ** 0.5) // places)
    found = torch.zeros(examples, examples, dtype=torch.float64)
    for first in range(0, examples, tile):
        a, b = (v.double() for v in part(slice(first, first + tile)))
        for second in range(0, first + 1, tile):
            c, d = (v.double() for v in part(slice(second, second + tile))) if second < first else (a, b)
            product = (a.flatten(0, 1) @ c.flatten(0, 1).T) * (b.flatten(0, 1) @ d.flatten(0, 1).T)
            summed = product.view(len(a), places, len(c), places).sum((1, 3)).cpu()
            found[first : first + tile, second : second + tile] = summed
            found[second : second + tile, first : first + tile] = summed.T
    return found


def _gradient_products(
    part: Callable[[slice], tuple[Tensor, Tensor]], examples: int, places: int, wide: int, out: int
) -> Tensor:
    """The layer's own gradients, some outputs at a time, and their products."""
    found = torch.zeros(examples, examples, dtype=torch.float64)
    rows = max(1, WORK_BYTES // (4 * places * (wide + out)))
    outputs = max(1, WORK_BYTES // (4 * examples * wide))
    for begin in range(0, out, outputs):
        parts = [
            torch.bmm(b[:, :, begin : begin + outputs].mT, a).flatten(1)
            for a, b in (part(slice(first, first + rows)) for first in range(0, examples, rows))
        ]
        found += _gram(parts[0] if len(parts) == 1 else torch.cat(parts))
    return found


def _gram(rows: Tensor) -> Tensor:
    """Products of centred rows."""
    rows = rows - rows.mean(0)
    return (rows @ rows.T).double().cpu()


def _general_products(layer: nn.Module, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """By the gradients of any module whose examples do not meet, from what it saw and got back."""
    weights = {key: p.detach() for key, p in layer.named_parameters(recurse=False) if p.requires_grad}

    def sent_back(values: dict[str, Tensor], x: Tensor, slope: Tensor) -> Tensor:
        output = functional_call(layer, values, (x.unsqueeze(0),))
        return (output * slope.unsqueeze(0)).sum()

    differentiate = vmap(grad(sent_back), (None, 0, 0))
    gradients = [differentiate(weights, before, slope) for before, slope in pairs]
    rows = [sum(g[key] for g in gradients).flatten(1).detach() for key in weights]
    return sum((_gram(part) for part in rows), torch.zeros((), dtype=torch.float64))


def _rest(gradients: PerExampleGradients, names: list[str]) -> NDArray[np.float64]:
    rows = torch.cat(list(gradients.of(names)))
    return _gram(rows).numpy()


def _check(gradients: PerExampleGradients, products: NDArray[np.float64]) -> None:
    """‖g_i − g_j‖² of three examples, which centring does not change, against their gradients."""
    assert isinstance(gradients.data, Inputs)
    chosen = sorted({0, len(products) // 2, len(products) - 1})
    rows = torch.cat(list(gradients.of(gradients.names, Inputs(gradients.data.part(torch.tensor(chosen))))))
    for i, j in _two_of(len(chosen)):
        exact = float((rows[i].double() - rows[j].double()).square().sum())
        p, q = chosen[i], chosen[j]
        found = float(products[p, p] + products[q, q] - 2 * products[p, q])
        size = float(rows[i].double().square().sum() + rows[j].double().square().sum())
        if abs(found - exact) > AGREES * exact + 1e-6 * size:
            raise InputError(
                "method",
                f"the layers of this module do not tell its gradients (‖g_{p} − g_{q}‖² = {exact:.6g} "
                f"against {found:.6g} from its layers)",
                "use method='dual' or 'krylov'",
            )


def _two_of(count: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(count) for j in range(i))
