"""Log lines: how often, and what they say."""

import logging

from sgdiffusion.dynamics.training.progress import Progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_lines_come_at_most_every_few_seconds_and_at_the_end(caplog):
    clock = Clock()
    progress = Progress(logging.getLogger("test"), "run seed 0", epochs=10, steps=50, every=5.0, clock=clock)
    progress.start(0, 0.0)
    with caplog.at_level(logging.INFO, logger="test"):
        for step in range(1, 51):
            clock.now += 1.0
            progress.report(0, step, 0.25)
        progress.report(10, 0, 0.125, 0.5)
    assert len(caplog.messages) == 11
    # 5 steps in 5 s: 495 steps are left at one step per second
    assert caplog.messages[0] == ("run seed 0: epoch 0/10 step 5/50, 1 steps/s, loss 0.2500, 8 min 15 s left")
    assert caplog.messages[-1].endswith("loss 0.1250, test error 50.00 %, 0 min 00 s left")


def test_time_before_an_interruption_counts_but_not_in_the_rate(caplog):
    clock = Clock()
    progress = Progress(
        logging.getLogger("test"), "run seed 0", epochs=1000, steps=100, every=5.0, clock=clock
    )
    progress.start(500, 40.0)
    clock.now += 10.0
    assert progress.seconds() == 50.0
    with caplog.at_level(logging.INFO, logger="test"):
        progress.report(501, 0, 1.0)
    # 100 steps in 10 s since the resumption: 49,900 steps at 10 per second are 4,990 s
    assert "10 steps/s" in caplog.text
    assert "1 h 23 min left" in caplog.text
