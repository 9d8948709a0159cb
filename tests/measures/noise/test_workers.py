"""Chunks side by side: order, results and thread settings are those of one thread."""

import threading
import time

import pytest
import torch

from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.gradients import PerExampleGradients
from sgdiffusion.measures.noise.workers import in_order


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_items(workers):
    def work(item):
        time.sleep(0.002 * (item % 3))  # later items finish first
        return item**2

    assert list(in_order(lambda: work, range(20), workers)) == [item**2 for item in range(20)]


def test_each_worker_has_its_own_function_and_one_torch_thread(three_threads):
    made, seen = [], []

    def make():
        busy = threading.Lock()
        made.append(busy)

        def work(_):
            assert busy.acquire(blocking=False)  # never used by two threads at once
            time.sleep(0.002)
            seen.append((threading.current_thread().name, torch.get_num_threads()))
            busy.release()

        return work

    list(in_order(make, range(12), 3))
    assert len(made) == 3
    assert {threads for _, threads in seen} == {1}
    assert len({name for name, _ in seen}) > 1


def test_the_callers_threads_are_as_before_also_after_an_error(three_threads):
    def work(item):
        if item == 2:
            raise MeasureError("item 2")
        return torch.get_num_threads()

    results = in_order(lambda: work, range(5), 3)
    assert next(results) == 1
    assert torch.get_num_threads() == 3
    with pytest.raises(MeasureError, match="item 2"):
        list(results)
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), found) == (3, [3])


def test_at_most_workers_and_one_results_wait(three_threads):
    taken = []

    def items():
        for item in range(50):
            taken.append(item)
            yield item

    results = in_order(lambda: lambda item: item, items(), 3)
    next(results)
    assert len(taken) <= 4
    results.close()


@pytest.mark.parametrize("vectorise", [True, False])
def test_gradients_do_not_depend_on_the_number_of_threads(case, vectorise, three_threads):
    stream = PerExampleGradients(case.net, case.data, case.loss, chunk=8, vectorise=vectorise)
    side_by_side = torch.cat(list(stream))
    torch.set_num_threads(1)
    assert torch.equal(side_by_side, torch.cat(list(stream)))


def test_a_bad_example_is_still_named(mlp, three_threads):
    mlp.inputs[41] = float("nan")
    with pytest.raises(MeasureError, match="index 41"):
        list(PerExampleGradients(mlp.net, mlp.data, chunk=8))
