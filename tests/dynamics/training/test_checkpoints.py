"""Files of a training: round trips, damage, atomicity, the weight history."""

import numpy as np
import pytest
import torch
import zarr

from sgdiffusion import networks
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.errors import TrainingError


def a_net(seed=0):
    return networks.build(
        "mlp", in_shape=(6,), classes=3, generator=torch.Generator().manual_seed(seed), width=4, dropout=0.2
    )


META = {
    "network": {"name": "mlp", "init": "torch", "dropout": 0.2, "sizes": {"width": 4}},
    "in_shape": [6],
    "classes": 3,
}


def test_round_trip_rebuilds_the_modules(tmp_path):
    path = tmp_path / "deep" / "checkpoints.pt"
    nets = {0.2: a_net(1), 1.0: a_net(2)}
    for net in nets.values():
        net(torch.randn(32, 6, generator=torch.Generator().manual_seed(3)))  # moves the running statistics
    checkpoints.save(path, {f: net.state_dict() for f, net in nets.items()}, META)
    loaded = checkpoints.modules(path)
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(4))
    for fraction, net in nets.items():
        assert not loaded[fraction].training
        assert torch.equal(loaded[fraction](x), net.eval()(x))
    assert checkpoints.load(path)["meta"] == META
    assert [p.name for p in path.parent.iterdir()] == ["checkpoints.pt"]


def test_double_precision_states_stay_double(tmp_path):
    path = tmp_path / "checkpoints.pt"
    checkpoints.save(path, {1.0: a_net().double().state_dict()}, META)
    net = checkpoints.modules(path)[1.0]
    assert {p.dtype for p in net.parameters()} == {torch.float64}


def test_missing_damaged_and_foreign_files(tmp_path):
    path = tmp_path / "checkpoints.pt"
    with pytest.raises(TrainingError, match="does not exist"):
        checkpoints.load(path)
    checkpoints.save(path, {1.0: a_net().state_dict()}, META)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(TrainingError, match=r"checkpoints\.pt is damaged"):
        checkpoints.load(path)
    checkpoints.write_state(path, {"other": 1})
    with pytest.raises(TrainingError, match="not a checkpoint file of a training"):
        checkpoints.load(path)


def test_nothing_in_a_file_is_executed(tmp_path):
    path = tmp_path / "checkpoints.pt"
    torch.save({"states": {}, "meta": print}, path)
    with pytest.raises(TrainingError, match="UnpicklingError"):
        checkpoints.load(path)


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.pt"
    checkpoints.write_state(path, {"a": 1})

    def explode(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints.torch, "save", explode)
        with pytest.raises(TrainingError, match=r"cannot write .*state\.pt .*No space left on device"):
            checkpoints.write_state(path, {"a": 2})
    assert checkpoints.read_state(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(TrainingError, match="cannot write"):
        checkpoints.write_state(tmp_path / "taken" / "state.pt", {})


def a_history(folder, count=7, rows=3):
    history = checkpoints.History(folder, np.arange(count), weights=5, buffers=2, dtype="float32")
    history.rows = rows
    return history


def rows_of(count):
    generator = np.random.default_rng(0)
    return [
        (generator.normal(size=5).astype("f4"), generator.normal(size=2).astype("f4")) for _ in range(count)
    ]


def test_history_round_trip_with_an_open_last_chunk(tmp_path):
    rows = rows_of(7)
    history = a_history(tmp_path)
    history.start()
    for weights, buffers in rows:
        history.append(weights, buffers)
    stored = checkpoints.trajectory(history.finish())
    np.testing.assert_array_equal(stored["weights"], [w for w, _ in rows])
    np.testing.assert_array_equal(stored["buffers"], [b for _, b in rows])
    assert stored["epochs"].tolist() == list(range(7))
    assert [p.name for p in tmp_path.iterdir()] == [checkpoints.TRAJECTORY]


def test_history_resumes_in_the_middle_of_a_chunk(tmp_path):
    rows = rows_of(7)
    first = a_history(tmp_path)
    first.start()
    for row in rows[:5]:
        first.append(*row)
    state = first.state()
    for row in rows[5:6]:  # written after the resume state: overwritten later
        first.append(row[0] + 1, row[1] + 1)
    second = a_history(tmp_path)
    assert second.resume(state)
    for row in rows[5:]:
        second.append(*row)
    stored = checkpoints.trajectory(second.finish())
    np.testing.assert_array_equal(stored["weights"], [w for w, _ in rows])


def test_history_without_its_container_cannot_resume(tmp_path):
    history = a_history(tmp_path)
    history.start()
    state = history.state()
    checkpoints.discard(tmp_path / (checkpoints.TRAJECTORY + ".partial"))
    assert not a_history(tmp_path).resume(state)


def test_incomplete_history_is_not_finished(tmp_path):
    history = a_history(tmp_path)
    history.start()
    history.append(*rows_of(1)[0])
    with pytest.raises(TrainingError, match="1 of 7 snapshots"):
        history.finish()


@pytest.mark.parametrize("content", [None, "empty group", "group in the place of an array"])
def test_not_a_history(tmp_path, content):
    path = tmp_path / "trajectory.zarr"
    if content:
        group = zarr.open_group(path, mode="w")
        if "array" in content:
            group.create_group("weights")
    with pytest.raises(TrainingError, match="is not a weight history"):
        checkpoints.trajectory(path)


def test_history_without_buffers(tmp_path):
    history = checkpoints.History(tmp_path, np.arange(2), weights=3, buffers=0, dtype="float64")
    history.start()
    for k in range(2):
        history.append(np.full(3, k, "f8"), np.empty(0, "f8"))
    stored = checkpoints.trajectory(history.finish())
    assert stored["buffers"].shape == (2, 0)
    assert stored["weights"].tolist() == [[0] * 3, [1] * 3]
