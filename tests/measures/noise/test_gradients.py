"""Per-example gradients against one autograd call per example, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sgdiffusion.errors import InputError, MeasureError
from sgdiffusion.inputs.data import Inputs
from sgdiffusion.inputs.losses import cross_entropy, half_squared_error, squared_error
from sgdiffusion.measures.noise import gradients as module
from sgdiffusion.measures.noise.gradients import PerExampleGradients, as_block, moments

# Both sides are float64 sums of at most a few hundred terms: what remains is rounding.
EXACT = {"rtol": 1e-11, "atol": 1e-13}


def stacked(stream):
    return torch.cat(list(stream)).numpy()


@pytest.mark.parametrize("vectorise", [True, False])
def test_equal_one_backward_pass_per_example(case, oracle, vectorise):
    stream = PerExampleGradients(case.net, case.data, case.loss, vectorise=vectorise)
    np.testing.assert_allclose(stacked(stream), oracle.gradients(case), **EXACT)
    assert stream.weights == sum(p.numel() for p in case.net.parameters())
    assert stream.examples == len(case.inputs)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunking_and_block_size_change_nothing(mlp, monkeypatch, chunk):
    whole = stacked(PerExampleGradients(mlp.net, mlp.data))
    monkeypatch.setattr(module, "BLOCK_ROWS", 32)
    stream = PerExampleGradients(mlp.net, mlp.data, chunk=chunk)
    assert all(len(block) <= 32 for block in stream)
    np.testing.assert_allclose(stacked(stream), whole, **EXACT)


def test_a_loader_gives_what_arrays_give_in_order_and_again(mlp):
    loader = DataLoader(TensorDataset(*mlp.data), batch_size=32)
    stream = PerExampleGradients(mlp.net, loader)
    whole = stacked(PerExampleGradients(mlp.net, tuple(part.numpy() for part in mlp.data)))
    for _ in range(2):
        np.testing.assert_allclose(stacked(stream), whole, **EXACT)
    assert stream.examples is None


def test_the_dtype_of_the_module_is_kept_and_inputs_are_cast_to_it(mlp):
    double = stacked(PerExampleGradients(mlp.net, mlp.data))
    single = stacked(PerExampleGradients(mlp.net.float(), mlp.data))
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    # float32 through two layers: a few units of 1.2e-7 of the largest terms
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)


def test_an_example_does_not_see_the_others(mlp):
    together = stacked(PerExampleGradients(mlp.net, mlp.data))
    alone = stacked(PerExampleGradients(mlp.net, (mlp.inputs[4:5], mlp.targets[4:5])))
    np.testing.assert_allclose(alone[0], together[4], **EXACT)


def test_nothing_of_the_module_changes(mlp):
    before = {name: value.clone() for name, value in mlp.net.state_dict().items()}
    stacked(PerExampleGradients(mlp.net, mlp.data))
    assert all(torch.equal(before[name], value) for name, value in mlp.net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in mlp.net.parameters())


@pytest.mark.parametrize("vectorise", [True, False])
def test_frozen_weights_are_left_out_and_unused_ones_have_gradient_zero(vectorise):
    net = nn.Linear(2, 3).double().eval()
    net.bias.requires_grad_(False)
    net.register_parameter("unused", nn.Parameter(torch.ones(2, dtype=torch.float64)))
    data = (torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0]))
    block = stacked(PerExampleGradients(net, data, vectorise=vectorise))
    assert block.shape == (4, 8)
    assert np.abs(block[:, :6]).min() > 0
    assert not block[:, 6:].any()


def test_blocks_stay_small_however_wide_the_network():
    with torch.device("meta"):
        wide = nn.Linear(3000, 4000).eval()
    stream = PerExampleGradients(wide, (torch.zeros(1, 3000), torch.zeros(1, dtype=torch.long)))
    assert stream.weights > 1e7
    assert stream.rows * stream.weights * 4 <= module.BLOCK_BYTES
    assert stream.chunk <= stream.rows


class TestTrainingMode:
    def test_batch_norm_in_training_mode_is_named(self, mlp):
        mlp.net[1].train()
        with pytest.raises(MeasureError, match=r"training mode: 1 \(BatchNorm1d\); call module.eval"):
            PerExampleGradients(mlp.net, mlp.data)

    def test_the_layers_that_do_harm_come_first(self, mlp):
        mlp.net.train()
        with pytest.raises(MeasureError, match=r"1 \(BatchNorm1d\), 3 \(Dropout\), .* and 3 more"):
            PerExampleGradients(mlp.net, mlp.data)

    def test_the_module_itself(self):
        with pytest.raises(MeasureError, match=r"the module itself \(Linear\)"):
            PerExampleGradients(nn.Linear(2, 2), (torch.zeros(1, 2), torch.zeros(1)))

    def test_a_switch_after_construction_is_seen(self, mlp):
        stream = PerExampleGradients(mlp.net, mlp.data)
        mlp.net.train()
        with pytest.raises(MeasureError, match="training mode"):
            next(iter(stream))

    def test_batch_norm_without_running_statistics(self):
        net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)).eval()
        with pytest.raises(MeasureError, match="batch-norm 1 keeps no running statistics"):
            PerExampleGradients(net, (torch.zeros(1, 2), torch.zeros(1, dtype=torch.long)))


class TestNonFinite:
    def test_a_bad_input_is_named_by_its_index(self, mlp):
        mlp.inputs[[5, 41]] = float("nan")
        with pytest.raises(MeasureError, match=r"2 example\(s\) .*index 5, 41\) in 0.weight, 0.bias"):
            stacked(PerExampleGradients(mlp.net, mlp.data))

    def test_the_index_counts_over_chunks_and_only_bad_weights_are_named(self, mlp):
        mlp.inputs[77, 0] = float("inf")
        with pytest.raises(MeasureError, match=r"index 77\) in 0.weight"):
            stacked(PerExampleGradients(mlp.net, mlp.data, chunk=10))

    def test_a_long_list_is_cut(self, mlp):
        with torch.no_grad():
            mlp.net[4].bias[0] = float("nan")
        with pytest.raises(MeasureError, match=r"90 example\(s\) .*index 0, 1, 2, 3, 4, …"):
            stacked(PerExampleGradients(mlp.net, mlp.data))

    def test_a_sum_that_overflows_over_finite_gradients_is_no_error(self):
        net = nn.Linear(2, 1, bias=False).eval()
        inputs = torch.full((2, 2), 3e38)
        blocks = stacked(PerExampleGradients(net, (inputs, torch.zeros(2)), lambda out, _: out.sum(1)))
        np.testing.assert_array_equal(blocks, inputs)


class TestBadInput:
    def test_no_example(self, mlp):
        empty = (mlp.inputs[:0], mlp.targets[:0])
        with pytest.raises(MeasureError, match="holds no example"):
            stacked(PerExampleGradients(mlp.net, empty))

    def test_a_spent_iterator(self, mlp):
        stream = PerExampleGradients(mlp.net, iter([mlp.data]))
        stacked(stream)
        with pytest.raises(MeasureError, match="one-shot iterator is spent"):
            stacked(stream)

    def test_inputs_without_targets(self, mlp):
        with pytest.raises(MeasureError, match="90 inputs but 89 targets"):
            stacked(PerExampleGradients(mlp.net, (mlp.inputs, mlp.targets[:-1])))

    def test_a_loss_that_averages(self, mlp):
        with pytest.raises(MeasureError, match="reduction='none'"):
            stacked(PerExampleGradients(mlp.net, mlp.data, nn.CrossEntropyLoss()))

    def test_no_weight_to_differentiate(self):
        with pytest.raises(MeasureError, match="no parameter that requires gradients"):
            PerExampleGradients(nn.ReLU().eval(), (torch.zeros(1), torch.zeros(1)))

    def test_mixed_dtypes(self):
        net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()).eval()
        with pytest.raises(MeasureError, match="differ in dtype"):
            PerExampleGradients(net, (torch.zeros(1, 2), torch.zeros(1)))

    def test_a_block_is_two_dimensional(self):
        with pytest.raises(MeasureError, match=r"shape \(3,\), expected \(examples, weights\)"):
            as_block(np.zeros(3))


def test_cross_entropy_is_the_negative_log_of_the_softmax():
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]], dtype=torch.float64)
    probabilities = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    expected = -np.log(probabilities[[0, 1], [2, 1]])
    np.testing.assert_allclose(cross_entropy(logits, torch.tensor([2, 1])).numpy(), expected, **EXACT)


class TestMoments:
    def test_against_numpy(self, case, oracle):
        rows = oracle.gradients(case)
        found = moments(PerExampleGradients(case.net, case.data, case.loss, chunk=8))
        assert found.examples == len(rows)
        np.testing.assert_allclose(found.mean.numpy(), rows.mean(0), **EXACT)
        assert found.spread == pytest.approx(len(rows) * rows.var(0).sum(), rel=1e-10)

    def test_a_large_mean_does_not_cancel_the_spread(self):
        # float32 rows: the mean is 1e4 times the spread, squares summed without a shift would keep nothing
        rows = 1e3 + 0.1 * np.random.default_rng(1).standard_normal((4000, 3)).astype(np.float32)
        exact = (rows.astype(np.float64) - rows.mean(0, dtype=np.float64)) ** 2
        # the rows themselves are exact; c = their float32 mean, so only the products' 1e-7 is lost
        assert moments(np.array_split(rows, 9)).spread == pytest.approx(exact.sum(), rel=1e-5)

    @pytest.mark.parametrize(("stream", "message"), [([], "empty"), ([np.array([[np.inf]])], "not finite")])
    def test_refused(self, stream, message):
        with pytest.raises(MeasureError, match=message):
            moments(stream)


class Noisy(nn.Module):
    """Dropout that evaluation mode does not switch off."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3).double()

    def forward(self, x):
        return nn.functional.dropout(self.layer(x), 0.5, training=True)


@pytest.mark.parametrize("vectorise", [True, False])
def test_random_gradients_are_refused(mlp, vectorise):
    with pytest.raises(InputError, match="random"):
        stacked(PerExampleGradients(Noisy().eval(), mlp.data, vectorise=vectorise))


def test_memory_is_used_again_where_the_reader_keeps_nothing(mlp, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", 32)
    places = {
        reuse: {block.data_ptr() for block in list(PerExampleGradients(mlp.net, mlp.data, reuse=reuse))}
        for reuse in (False, True)
    }
    assert (len(places[False]), len(places[True])) == (3, 1)
    again = PerExampleGradients(mlp.net, mlp.data, reuse=True)
    expected = stacked(PerExampleGradients(mlp.net, mlp.data))
    np.testing.assert_array_equal(np.concatenate([block.numpy().copy() for block in again]), expected)


@pytest.mark.parametrize("loss", [half_squared_error, squared_error])
def test_outputs_are_not_broadcast_against_targets(loss):
    """(n, 1) against (n,) would compare every output with every target."""
    data = torch.randn(5, 2), torch.randn(5)
    with pytest.raises(InputError, match=r"outputs have shape \(1, 1\), targets \(1,\)"):
        stacked(PerExampleGradients(nn.Linear(2, 1).eval(), data, loss))


def test_some_parameters_and_other_examples(mlp):
    whole = PerExampleGradients(mlp.net, mlp.data)
    some = whole.of(["4.weight"], (mlp.inputs[3:5], mlp.targets[3:5]))
    ends = np.cumsum([0, *whole.sizes])
    first = whole.names.index("4.weight")
    np.testing.assert_allclose(stacked(some), stacked(whole)[3:5, ends[first] : ends[first + 1]], **EXACT)


def test_a_batch_of_any_form(mlp, oracle):
    def forward(net, batch):
        return cross_entropy(net(batch["x"]), batch["y"])

    inputs = Inputs({"x": mlp.inputs, "y": mlp.targets})
    np.testing.assert_allclose(
        stacked(PerExampleGradients(mlp.net, inputs, forward=forward)), oracle.gradients(mlp), **EXACT
    )
