"""Log lines: how often, and what they say."""

import logging

from sgdiffusion.dynamics.training.progress import ProgressLog


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def progress_of(clock, **sizes):
    return ProgressLog(logging.getLogger("test"), "run seed 0", **sizes, every=5.0, clock=clock)


def test_lines_come_at_most_every_few_seconds_and_at_the_end(caplog):
    clock = Clock()
    progress = progress_of(clock, total=500, per_epoch=50)
    progress.start(0)
    with caplog.at_level(logging.INFO, logger="test"):
        for step in range(1, 51):
            clock.now += 1.0
            progress.report(step, 0.25)
        progress.report(500, 0.125, 0.5)
    assert len(caplog.messages) == 11
    # 5 steps in 5 s: 495 steps are left at one step per second
    assert caplog.messages[0] == "run seed 0: epoch 0/10 step 5/50, 1 steps/s, loss 0.2500, 8 min 15 s left"
    assert caplog.messages[-1].endswith("loss 0.1250, test error 50.00 %, 0 min 00 s left")


def test_time_before_an_interruption_counts_but_not_in_the_rate(caplog):
    clock = Clock()
    progress = progress_of(clock, total=100_000, per_epoch=100)
    progress.start(50_000, 40.0)
    clock.now += 10.0
    assert progress.seconds() == 50.0
    with caplog.at_level(logging.INFO, logger="test"):
        progress.report(50_100, 1.0)
    # 100 steps in 10 s since the resumption: 49,900 steps at 10 per second are 4,990 s
    assert "epoch 501/1000 step 0/100, 10 steps/s" in caplog.text
    assert "1 h 23 min left" in caplog.text


def test_an_epoch_that_is_cut_short_counts_as_one(caplog):
    progress = progress_of(Clock(), total=7, per_epoch=3)
    progress.start(0)
    with caplog.at_level(logging.INFO, logger="test"):
        progress.report(7, 1.0)
    assert "epoch 2/3 step 1/3" in caplog.text
