"""One epoch of a two-layer batch-norm net (linear → batch-norm → ReLU → linear, cross-entropy), compiled.

Activations are stored transposed (units × batch): every inner loop runs over contiguous examples.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
# sums may be reordered (they are vectorised), but infinities and NaN keep their meaning
_MATH = {"reassoc", "contract", "nsz"}
# Inlined, so that there is one machine code of every sum: as functions of their own the parts would be
# optimised once more by themselves, with sums in another order, and which of the two codes runs would depend
# on whether numba compiles in this process or reads its cache.
_part = njit(forceinline=True, fastmath=_MATH)


class Layers(NamedTuple):
    """Views of a vector x ∈ R^d as the net's arrays, in the order of `net.parameters()`."""

    weight: Array  # (hidden, features)
    bias: Array  # (hidden,)
    scale: Array  # batch-norm's γ
    shift: Array  # batch-norm's β
    head: Array  # (classes, hidden)
    head_bias: Array  # (classes,)


class Net(NamedTuple):
    """The state of a training."""

    weights: Array  # (d,)
    velocity: Array  # (d,)
    layers: Layers  # views of weights
    mean: Array  # (hidden,): running statistics of batch-norm
    variance: Array


class Step(NamedTuple):
    """The numbers of an update and of batch-norm, in the arrays' precision."""

    rate: Any
    momentum: Any
    nesterov: bool
    decay: Any
    eps: Any
    forget: Any  # weight of the newest batch in the running statistics


class Work(NamedTuple):
    """Memory of one step; b examples a batch."""

    rows: Array  # (b, features): the batch as it is stored
    inputs: Array  # (features, b)
    normalised: Array  # (hidden, b): pre-activations, then x̂
    hidden: Array  # (hidden, b): ReLU(γx̂ + β), then its gradient
    outputs: Array  # (classes, b): logits, then their gradient
    inverse: Array  # (hidden,): 1/√(variance + ε)
    gradient: Array  # (d,)
    layers: Layers  # views of gradient


@_part
def _affine(weight: Array, bias: Array, inputs: Array, out: Array) -> None:
    """out = weight · inputs + bias, eight inputs at a time to spare loads and stores of `out`."""
    rows, columns = weight.shape
    batch = inputs.shape[1]
    whole = columns - columns % 8
    for j in range(rows):
        for n in range(batch):
            out[j, n] = bias[j]
        for i in range(0, whole, 8):
            w0, w1, w2, w3 = weight[j, i], weight[j, i + 1], weight[j, i + 2], weight[j, i + 3]
            w4, w5, w6, w7 = weight[j, i + 4], weight[j, i + 5], weight[j, i + 6], weight[j, i + 7]
            for n in range(batch):
                low = (
                    w0 * inputs[i, n] + w1 * inputs[i + 1, n] + w2 * inputs[i + 2, n] + w3 * inputs[i + 3, n]
                )
                high = (
                    w4 * inputs[i + 4, n]
                    + w5 * inputs[i + 5, n]
                    + w6 * inputs[i + 6, n]
                    + w7 * inputs[i + 7, n]
                )
                out[j, n] += low + high
        for i in range(whole, columns):
            for n in range(batch):
                out[j, n] += weight[j, i] * inputs[i, n]


@_part
def _outer(delta: Array, inputs: Array, out: Array) -> None:
    """out = delta · inputsᵀ: the gradient of an affine map's weights, four rows at a time."""
    rows, batch = delta.shape
    zero = out.dtype.type(0)
    whole = rows - rows % 4
    for i in range(inputs.shape[0]):
        for j in range(0, whole, 4):
            s0, s1, s2, s3 = zero, zero, zero, zero
            for n in range(batch):
                s0 += delta[j, n] * inputs[i, n]
                s1 += delta[j + 1, n] * inputs[i, n]
                s2 += delta[j + 2, n] * inputs[i, n]
                s3 += delta[j + 3, n] * inputs[i, n]
            out[j, i], out[j + 1, i], out[j + 2, i], out[j + 3, i] = s0, s1, s2, s3
        for j in range(whole, rows):
            total = zero
            for n in range(batch):
                total += delta[j, n] * inputs[i, n]
            out[j, i] = total


@_part
def _row_sums(values: Array, out: Array) -> None:
    for j in range(values.shape[0]):
        total = out.dtype.type(0)
        for n in range(values.shape[1]):
            total += values[j, n]
        out[j] = total


@_part
def _normalise(layers: Layers, mean: Array, variance: Array, work: Work, step: Step) -> None:
    """Batch-norm with the batch's statistics, then ReLU; running statistics as torch keeps them.

    The batch is normalised by its biased variance, the running variance takes the unbiased one.
    """
    z, hidden = work.normalised, work.hidden
    rows, batch = z.shape
    zero, one = z.dtype.type(0), z.dtype.type(1)
    share = z.dtype.type(1 / batch)
    unbiased = z.dtype.type(batch / (batch - 1))
    for j in range(rows):
        total, square = zero, zero
        for n in range(batch):
            total += z[j, n]
        centre = total * share
        for n in range(batch):
            z[j, n] -= centre
            square += z[j, n] * z[j, n]
        spread = square * share
        mean[j] += step.forget * (centre - mean[j])
        variance[j] += step.forget * (spread * unbiased - variance[j])
        inverse = one / np.sqrt(spread + step.eps)
        work.inverse[j] = inverse
        scale, shift = layers.scale[j], layers.shift[j]
        for n in range(batch):
            z[j, n] *= inverse
            active = scale * z[j, n] + shift
            hidden[j, n] = zero if active <= zero else active  # so that NaN passes, as in torch


@_part
def _cross_entropy(outputs: Array, labels: Array) -> tuple[float, int]:
    """Mean loss and number of errors; `outputs` become the gradient (softmax − one-hot)/b."""
    classes, batch = outputs.shape
    share = outputs.dtype.type(1 / batch)
    loss, wrong = 0.0, 0
    for n in range(batch):
        best = 0
        for c in range(1, classes):
            if outputs[c, n] > outputs[best, n]:
                best = c
        wrong += best != labels[n]
        top = outputs[best, n]
        label = outputs[labels[n], n] - top
        total = outputs.dtype.type(0)
        for c in range(classes):
            outputs[c, n] = np.exp(outputs[c, n] - top)
            total += outputs[c, n]
        loss += np.log(total) - label
        for c in range(classes):
            outputs[c, n] *= share / total
        outputs[labels[n], n] -= share
    return loss / batch, wrong


@_part
def _hidden_gradient(layers: Layers, gradient: Layers, work: Work) -> None:
    """Back through head, ReLU and batch-norm; `work.normalised` becomes the gradient before batch-norm.

    With δ the gradient behind batch-norm and x̂ its normalised input:
    γ/√(var + ε) · (δ − ⟨δ⟩ − x̂⟨δx̂⟩), ⟨⟩ the mean over the batch.
    """
    xhat, hidden, outputs = work.normalised, work.hidden, work.outputs
    rows, batch = xhat.shape
    zero = xhat.dtype.type(0)
    share = xhat.dtype.type(1 / batch)
    classes = layers.head.shape[0]
    delta = np.empty(batch, xhat.dtype)
    for j in range(rows):
        for n in range(batch):
            delta[n] = zero
        for c in range(classes):
            w = layers.head[c, j]
            for n in range(batch):
                delta[n] += w * outputs[c, n]
        shift, scale = zero, zero
        for n in range(batch):
            delta[n] = delta[n] if hidden[j, n] > zero else zero
            shift += delta[n]
            scale += delta[n] * xhat[j, n]
        gradient.shift[j], gradient.scale[j] = shift, scale
        factor = layers.scale[j] * work.inverse[j]
        mean_shift, mean_scale = shift * share, scale * share
        for n in range(batch):
            xhat[j, n] = factor * (delta[n] - mean_shift - xhat[j, n] * mean_scale)


@_part
def _update(weights: Array, velocity: Array, gradient: Array, step: Step) -> None:
    """v ← μv + g, x ← x − η(g + μv) with Nesterov momentum, x ← x − ηv without; g holds the weight decay."""
    for k in range(weights.size):
        g = gradient[k] + step.decay * weights[k]
        velocity[k] = step.momentum * velocity[k] + g
        weights[k] -= step.rate * (g + step.momentum * velocity[k] if step.nesterov else velocity[k])


@_part
def _gather(x: Array, index: Array, rows: Array, out: Array) -> None:
    """out = x[index]ᵀ by way of a copy: whole rows first, then a transposition inside the cache."""
    for n in range(index.size):
        for i in range(out.shape[0]):
            rows[n, i] = x[index[n], i]
    for i in range(out.shape[0]):
        for n in range(index.size):
            out[i, n] = rows[n, i]


@njit(cache=True, nogil=True, fastmath=_MATH)
def run_epoch(x: Array, y: Array, order: Array, net: Net, work: Work, step: Step, losses: Array) -> int:
    """All steps of an epoch, `order` (steps, b) naming the examples; returns the number of errors.

    `net` and `work` are changed in place, losses (steps,) are filled.
    """
    wrong = 0
    layers, gradient = net.layers, work.layers
    for k in range(order.shape[0]):
        _gather(x, order[k], work.rows, work.inputs)
        _affine(layers.weight, layers.bias, work.inputs, work.normalised)
        _normalise(layers, net.mean, net.variance, work, step)
        _affine(layers.head, layers.head_bias, work.hidden, work.outputs)
        losses[k], errors = _cross_entropy(work.outputs, y[order[k]])
        wrong += errors
        _outer(work.outputs, work.hidden, gradient.head)
        _row_sums(work.outputs, gradient.head_bias)
        _hidden_gradient(layers, gradient, work)
        _outer(work.normalised, work.inputs, gradient.weight)
        _row_sums(work.normalised, gradient.bias)
        _update(net.weights, net.velocity, work.gradient, step)
    return wrong
