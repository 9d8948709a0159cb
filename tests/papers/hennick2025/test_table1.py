"""Table 1: the row of a walk with known exponent and λ̄, chains along a tiny training, published beside."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from sgdiffusion.config import load_claims
from sgdiffusion.dynamics.ensembles.serial import class_losses
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.dynamics.training.finetuning import finetune
from sgdiffusion.errors import MeasureError
from sgdiffusion.papers.hennick2025 import table1 as study
from sgdiffusion.papers.hennick2025.published import TABLE1
from sgdiffusion.papers.hennick2025.settings import Langevin, LargerTraining

CONFIG = Path(__file__).resolve().parents[3] / "config"
NOWHERE = Path("there-is-no-such-file")
LEGS = [
    {"until": 0.1, "optimiser": "adam", "rate": 0.01},
    {"until": 1.0, "optimiser": "sgd", "rate": 0.1},
]
TRAINING = LargerTraining.model_validate(
    {"steps": 1000, "batch_size": 8, "per_decade": 20, "checkpoints": [0.1, 0.5, 1.0], "legs": LEGS}
)


def displacement(exponent: float, late: float) -> pd.DataFrame:
    """R = t^exponent from the start and s^late since the last leg's start, s its own steps."""
    steps = np.unique(np.rint(np.geomspace(1, 1000, 80)).astype(int))
    own = np.maximum(steps - 100, 1).astype(float)
    return pd.DataFrame({
        "step": steps,
        "displacement": steps**exponent,
        "since_last_leg": np.where(steps > 100, own**late, np.nan),
        "loss": 1.0,
    })  # fmt: skip


def coefficients(values: list[float], half: float = 0.0) -> pd.DataFrame:
    rows = {"run": 0, "step": [100, 500, 1000], "llc": values, "chains": 4, "diagnoses": ["", "drifting", ""]}
    table = pd.DataFrame(rows)
    return table.assign(low=table["llc"] - half, high=table["llc"] + half)


def row(model: str = "resnet18", **changes) -> pd.DataFrame:
    given = {"walk": displacement(0.25, 0.4), "found": coefficients([10.0, 20.0, 40.0], 3.0)} | changes
    return study.model_row(
        model, "tiny-imagenet", 50, given["walk"], given["found"], TRAINING, [0.1, 1.0], 1.5
    )


def test_the_row_is_eq_17_in_the_window():
    found = row().iloc[0]
    assert found["slope"] == pytest.approx(0.25, rel=1e-9)
    assert found["slope_last_leg"] == pytest.approx(0.4, rel=1e-9)
    # trapezoids over 0, 100, 500, 1000 with λ = 10 before the first instant
    mean = (10 * 100 + 15 * 400 + 30 * 500) / 1000
    assert found["mean_llc"] == pytest.approx(mean)
    assert found["spectral_dimension"] == pytest.approx(2 * mean * 0.25)
    # the three values have the weights 0.3, 0.45, 0.25 in that mean; 3.18 is Student's quantile of 4 chains
    error = 3.0 / 3.1824 * np.sqrt(0.3**2 + 0.45**2 + 0.25**2)
    assert found["llc_high"] - mean == pytest.approx(1.96 * error, rel=1e-3)
    assert found["llc"] == 40.0
    assert found["r2"] == pytest.approx(1.0)
    assert found["r2_brownian"] == pytest.approx(0.0, abs=1e-9), "half the slope leaves as much as a constant"
    assert found["marks"] == "drifting"


def test_chains_that_all_blew_up_are_named():
    with pytest.raises(MeasureError, match="resnet18: no chain at some instant stayed finite"):
        row(found=coefficients([10.0, np.nan, 40.0]))


def test_a_walk_too_short_for_the_window_is_named():
    with pytest.raises(MeasureError, match="a fit needs 6"):
        row(walk=displacement(0.25, 0.4).iloc[::30])


def test_quantities_are_those_of_the_claims():
    rows = pd.concat([row(model) for model in TABLE1])
    quantities = study.run_quantities(rows).set_index("quantity")
    claims = [c for c in load_claims(CONFIG, "hennick2025") if c.optional]
    assert {c.optional for c in claims} == {"hennick2025_table1"}
    assert len(claims) == len(TABLE1)
    for claim in claims:
        model = claim.id.removeprefix("table1-")
        assert {r.quantity for r in claim.accept} <= set(quantities.index)
        printed = {str(r.published).removesuffix(".0") for r in claim.accept}
        assert printed == set(TABLE1[model][:3])
    assert quantities.loc["table1.vgg16.exponent", "value"] == pytest.approx(0.25)


def test_the_table_has_the_papers_models_first_and_the_published_values_beside():
    rows = pd.concat([row("resnet18-cifar10"), row("resnet18"), row("tinystories-1m")])
    table = study.table1(rows)
    assert table["model"].tolist() == ["tinystories-1m", "resnet18", "resnet18-cifar10"]
    assert table["published_llc"].tolist() == ["32", "72.05", ""]
    assert study.model_name("vgg16", "tiny-imagenet") == "vgg16"
    assert study.model_name("vgg16", "cifar100") == "vgg16-cifar100"


def small_problem() -> study.Problem:
    """A stand-in for a vision network: few channels, batch-norm, 8×8 images."""
    generator = torch.Generator().manual_seed(0)
    layers = [nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(2, 3))
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(0, 0.5, generator=generator)
    x = torch.randn(64, 3, 8, 8, generator=generator)
    data = Examples(x, (x.mean((1, 2, 3)) > 0).long())
    return study.Problem(net, class_losses, data, data)


def test_from_training_to_row():
    problem = small_problem()
    chains = {"chains": 2, "draws": 8, "burn_in": 10, "batch_size": 32, "temperature": "batch"}
    plan = Langevin.model_validate({**chains, "localisation": 100.0, "share": 0.3})
    training = TRAINING.model_copy(update={"steps": 100})
    trained = finetune(
        problem.net,
        problem.loss,
        problem.train,
        training.legs,
        steps=100,
        batch_size=8,
        per_decade=20,
        checkpoint_fractions=training.checkpoints,
        names=(0, "table1"),
        resume=NOWHERE,
    )
    walk, done = study.displacement_table(trained), []
    found = study.coefficients(
        problem, trained.theta, trained.kept, plan, seed=1, progress=lambda i, _: done.append(i)
    )
    assert done == [1, 2, 3]
    assert found["step"].tolist() == [10, 50, 100]
    assert np.isfinite(found["llc"]).all()
    loss = study.average_test_loss(problem, trained.theta[-1], 32)
    # batch-norm by the batch: two batches of 32 in the order given
    net, batches = problem.net.train(), zip(problem.test.x.split(32), problem.test.y.split(32), strict=True)
    with torch.no_grad():
        slow = [float(class_losses(net(x), y).mean()) for x, y in batches]
    assert loss == pytest.approx(sum(slow) / 2, rel=1e-5)
    row = study.model_row("small", "none", trained.theta.shape[1], walk, found, training, [0.1, 1.0], loss)
    assert row["weights"].tolist() == [sum(p.numel() for p in problem.net.parameters())]
    assert np.isfinite(row["spectral_dimension"]).all()


def test_problems_of_both_kinds():
    x, y = torch.zeros(2, 3, 32, 32), torch.zeros(2, dtype=torch.int64)
    problem = study.vision_problem("resnet18", x, y, x, y, 5, seed=3)
    assert problem.net.eval()(x).shape == (2, 5)


def test_tokens_of_another_vocabulary_are_refused():
    model = SimpleNamespace(get_input_embeddings=lambda: SimpleNamespace(weight=torch.zeros(7, 2)))
    tokens = torch.full((2, 4), 7)
    with pytest.raises(MeasureError, match="vocabulary of 7"):
        study.language_problem(model, tokens, tokens)


def test_chains_of_a_language_model():
    transformers = pytest.importorskip("transformers", reason="the extra `language` is not installed")
    config = transformers.GPTNeoConfig(
        vocab_size=20, hidden_size=8, num_layers=1, num_heads=2, attention_types=[[["global"], 1]],
        intermediate_size=16, max_position_embeddings=16, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.GPTNeoForCausalLM(config)
    tokens = torch.randint(20, (40, 12), generator=torch.Generator().manual_seed(1))
    problem = study.language_problem(model, tokens[:32], tokens[32:])
    chains = {"chains": 2, "draws": 8, "burn_in": 4, "batch_size": 16, "temperature": "batch"}
    plan = Langevin.model_validate({**chains, "localisation": 100.0, "share": 0.3})
    weights = parameters_to_vector(model.parameters()).detach()
    found = study.coefficients(problem, weights[None], np.array([5]), plan, seed=2)
    assert found["step"].tolist() == [5]
    assert np.isfinite(found[["llc", "baseline"]]).all(axis=None)
    # an untrained model gives every one of 20 tokens about the same probability: ln 20 to a tenth
    assert found["baseline"][0] == pytest.approx(np.log(20), rel=0.1)
    assert study.average_test_loss(problem, weights, 4) == pytest.approx(np.log(20), rel=0.1)
