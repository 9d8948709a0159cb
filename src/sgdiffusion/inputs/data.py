"""Examples in any of the forms that torch users have them in, as one tree of tensors.

A tree is a tensor, or tuples and dicts of tensors; the first dimension of each runs over the examples. The
examples are read once and held: so their number is known, a loader that shuffles or augments gives the same
examples in every pass, and a generator need not be read twice.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten_with_path, tree_leaves, tree_map
from torch.utils.data import DataLoader, Dataset, IterableDataset
from torch.utils.data.sampler import RandomSampler

from sgdiffusion.errors import InputError
from sgdiffusion.inputs.numbers import require_whole

READ_AT_ONCE = 256  # examples of a Dataset
REMEDY = "give (inputs, targets), a dict of tensors, a Dataset or a DataLoader"


@dataclass(frozen=True)
class Inputs:
    """N examples as a tree of tensors, and what a reader should know of how they were read."""

    tree: Any
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(tree_leaves(self.tree)[0])

    def batches(self, size: int) -> Iterator[Any]:
        """The examples in their order, at most ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.part(slice(start, start + size))

    def part(self, rows: Any) -> Any:
        """The tree of some examples, by a slice or a tensor of indices."""
        return tree_map(lambda values: values[rows], self.tree)


def read_data(data: Any, examples: int | None = None) -> Inputs:
    """The first ``examples`` examples (default: all) of tensors, a Dataset, a loader, or dicts of tensors.

    Accepted are a tuple of arrays or tensors, such as (inputs, targets); a dict of them; a ``Dataset``, with
    torch's usual collation; a ``DataLoader`` or any iterable of batches; with a forward of one's own also
    one tensor.
    """
    if examples is not None:
        require_whole("examples", examples, 1)
    if isinstance(data, Inputs):
        return data if examples is None else Inputs(data.part(slice(0, examples)), data.notes)
    if isinstance(data, str | bytes) or data is None:
        raise InputError("data", f"found {data!r}", REMEDY)
    whole = _is_whole(data)
    tree = _as_tree(data, "data") if whole else _concatenated(_batches_of(data), examples)
    _check_lengths(tree)
    inputs = Inputs(tree, () if whole else _notes(data))
    if not len(inputs):
        raise InputError("data", "holds no example (or is an iterator that is spent)", "give at least one")
    inputs = inputs if examples is None else Inputs(inputs.part(slice(0, examples)), inputs.notes)
    _check_finite(inputs.tree)
    return inputs


def _is_array(value: Any) -> bool:
    """A tensor, an array, a table or column of pandas."""
    table = hasattr(value, "__array__") and getattr(value, "ndim", 0) > 0
    return table or isinstance(value, Tensor | np.ndarray)


def _is_numbers(value: Any) -> bool:
    """A list of numbers, or of such lists."""
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, int | float)


def _is_whole(data: Any) -> bool:
    """Whether the data are all examples at once, not a sequence of batches or of examples."""
    if _is_array(data) or isinstance(data, Mapping):
        return True
    # a list is a sequence of batches, as loaders give them; a tuple of arrays is one batch
    return isinstance(data, tuple) and all(
        _is_array(part) or isinstance(part, Mapping) or _is_numbers(part) for part in data
    )


def _batches_of(data: Any) -> Iterable[Any]:
    if isinstance(data, IterableDataset):
        return DataLoader(data, batch_size=READ_AT_ONCE)
    sized = hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, list | tuple)
    if isinstance(data, Dataset) or sized:
        return DataLoader(data, batch_size=READ_AT_ONCE, shuffle=False)
    if not hasattr(data, "__iter__"):
        raise InputError("data", f"found {type(data).__name__}, which cannot be read", REMEDY)
    return data


def _notes(data: Any) -> tuple[str, ...]:
    if isinstance(getattr(data, "sampler", None), RandomSampler):
        return ("the loader shuffles: its first pass was read, whose order depends on torch's random state",)
    return ()


def _as_tree(value: Any, where: str) -> Any:
    """The same tree with tensors as leaves; what is no array of numbers is refused by its place."""
    if isinstance(value, Tensor):
        # tensors of inference mode cannot be differentiated through; a copy can
        return value.clone() if value.is_inference() else value.detach()
    if isinstance(value, Mapping):
        return {str(key): _as_tree(part, f"{where}[{key!r}]") for key, part in value.items()}
    if isinstance(value, tuple) or (isinstance(value, list) and any(map(_is_array, value))):
        return tuple(_as_tree(part, f"{where}[{i}]") for i, part in enumerate(value))
    value = np.array(value) if _is_array(value) and not isinstance(value, np.ndarray) else value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(np.ascontiguousarray(value))
    if _holds_strings(value):
        raise InputError(
            "data", f"{where} holds strings", "turn texts into token ids and leave such columns out"
        )
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        kind = type(value).__name__
        raise InputError("data", f"{where} is a {kind}, not an array of numbers", REMEDY) from None


def _holds_strings(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, str) or (isinstance(value, np.ndarray) and value.dtype.kind in "US")


def _concatenated(batches: Iterable[Any], examples: int | None) -> Any:
    """All batches as one tree; reading stops when there are enough."""
    parts: list[Any] = []
    seen = size = 0
    for number, batch in enumerate(_guarded(batches)):
        tree = _as_tree(tuple(batch) if isinstance(batch, list) else batch, f"batch {number}")
        _check_lengths(tree, f"batch {number}")
        _check_like_first(parts, tree, number)
        parts.append(tree)
        seen += len(tree_leaves(tree)[0])
        size += sum(leaf.nbytes for leaf in tree_leaves(tree))
        _require_memory(size, seen)
        if examples is not None and seen >= examples:
            break
    if not parts:
        raise InputError("data", "holds no example (or is an iterator that is spent)", "give at least one")
    return tree_map(lambda *leaves: torch.cat(leaves), *parts)


def _guarded(batches: Iterable[Any]) -> Iterator[Any]:
    """The batches; what goes wrong in the user's own loader is named as such."""
    try:
        yield from batches
    except InputError:
        raise
    except Exception as error:
        first_line = str(error).partition("\n")[0]
        raise InputError(
            "data",
            f"reading it failed with {type(error).__name__}: {first_line}",
            "each example needs tensors of one shape; pad texts to one length, or give a collate_fn",
        ) from error


def _require_memory(size: int, seen: int) -> None:
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > present / 2:
        raise InputError(
            "data",
            f"the first {seen:,} examples take {size / 2**30:.0f} GiB, more than half of the memory",
            "measure a part of them with examples=…",
        )


def named_leaves(tree: Any) -> list[tuple[str, Tensor]]:
    """The tensors of a tree with their places in words."""
    names = ("inputs", "targets")
    found = []
    for path, leaf in tree_flatten_with_path(tree)[0]:
        place = "".join(str(key) for key in path)
        pair = isinstance(tree, tuple) and len(tree) == 2 and len(path) == 1
        found.append((names[path[0].idx] if pair else f"data{place}", leaf))  # type: ignore[attr-defined]
    return found


def _check_lengths(tree: Any, where: str = "data") -> None:
    leaves = named_leaves(tree)
    if not leaves:
        raise InputError("data", f"{where} holds no tensor", REMEDY)
    for name, leaf in leaves:
        if leaf.ndim == 0:
            raise InputError(
                "data",
                f"{name} in {where} is a single number, not one entry per example",
                "the first dimension of every tensor runs over the examples: of a list of examples make "
                "batches, by DataLoader(data, batch_size=100)",
            )
    sizes = {name: len(leaf) for name, leaf in leaves}
    if len(set(sizes.values())) > 1:
        listed = " but ".join(f"{size} {name}" for name, size in sizes.items())
        raise InputError("data", f"{where} has {listed}", "each example needs one of each")


def _check_like_first(parts: list[Any], tree: Any, number: int) -> None:
    if not parts:
        return
    first, now = (
        {name: (leaf.shape[1:], leaf.dtype) for name, leaf in named_leaves(t)} for t in (parts[0], tree)
    )
    if first.keys() != now.keys():
        raise InputError(
            "data", f"batch {number} holds {sorted(now)}, batch 0 {sorted(first)}", "give batches alike"
        )
    for name, (shape, kind) in now.items():
        if (shape, kind) != first[name]:
            raise InputError(
                "data",
                f"{name} has examples of shape {tuple(shape)} ({kind}) in batch {number}, of "
                f"{tuple(first[name][0])} ({first[name][1]}) in batch 0",
                "a list is read as batches: give inputs and targets as a tuple"
                if isinstance(tree, Tensor)
                else "give examples of one shape: pad texts to one length, resize images",
            )


def _check_finite(tree: Any) -> None:
    for name, leaf in named_leaves(tree):
        if leaf.is_floating_point() and not bool(torch.isfinite(leaf.sum())):
            bad = (~torch.isfinite(leaf)).flatten(1).any(1) if leaf.ndim > 1 else ~torch.isfinite(leaf)
            if bool(bad.any()):
                found = bad.nonzero().flatten().tolist()
                shown = ", ".join(map(str, found[:5])) + (", …" if len(found) > 5 else "")
                raise InputError(
                    "data",
                    f"{name} of {len(found)} example(s) (index {shown}) holds NaN or infinity",
                    "leave these examples out or mend them",
                )


def describe(tree: Any) -> str:
    """Shapes and kinds of the tensors of a batch, for messages."""
    shown = [
        f"{name} {tuple(leaf.shape)} {str(leaf.dtype).removeprefix('torch.')}"
        for name, leaf in named_leaves(tree)
    ]
    return ", ".join(shown)


Forward = Callable[[torch.nn.Module, Any], Tensor]
"""The losses (n,) of a batch of n examples, one per example, from the model and the batch's tree."""
