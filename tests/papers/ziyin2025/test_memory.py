"""Negative starts collapse, positive ones do not; random weights end on the manifold u² = w²."""

from sgdiffusion.papers.ziyin2025.memory import memory


def test_the_start_decides():
    found = memory(chains=100, seed=2)
    value = found["quantities"].set_index("quantity")["value"]
    assert value["memory.negative_starts.collapsed"] == 1.0
    assert value["memory.positive_starts.collapsed"] < 0.02
    assert value["memory.positive_starts.ks_p"] > 1e-3
    assert value["memory.random_starts.negative"] == 0.0
    assert value["memory.random_starts.off_manifold"] < 0.05
    ends = found["ends"]
    signs = ends[ends["start"] == "signs"]
    assert (signs["v"][:60] > 0).all()  # u = w for ever: v = u²
    assert (signs["v"][60:] <= 0).all()
