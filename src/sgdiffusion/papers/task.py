"""What a study is told beside its settings and inputs."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Task:
    """One job: which one it is, where its seeds descend from, what it may use, and what its record notes."""

    paper: str
    wildcards: Mapping[str, str]
    root_seed: int
    threads: int
    device: str
    outputs: Mapping[str, Path]
    log: logging.Logger
    code: str = ""  # digest of the code, for checkpoints that an edit makes useless
    seeds: list[int] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """What is done when all outputs are written: until then a resume state is worth keeping."""
    uses: Callable[..., None] = lambda **data: None
    """Notes data (set, preparation, real, digest) that the job made; that of inputs their records know."""

    def progress(self, what: str) -> Callable[[int, int], None]:
        """A callback that logs how much is done."""
        return lambda done, total: self.log.info("%s: %.0f %%", what, 100 * done / total)
