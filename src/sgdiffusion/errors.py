"""The errors a user can act on: each carries one message that says what, where and what to do."""

import lzma
import tarfile
import tokenize
import zipfile
import zlib
from typing import Any, get_args

# what the standard library and numpy raise where a file or a container is damaged
UNREADABLE = (
    *(OSError, ValueError, EOFError, MemoryError, NotImplementedError, RuntimeError, tokenize.TokenError),
    *(zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile),
)


class UserError(Exception):
    """Base of every error that is reported as a message, without a traceback."""


class ConfigError(UserError):
    """A configuration file has a wrong key, type or value."""


class DataError(UserError):
    """A data set is missing, damaged or not what it claims to be."""


class TrainingError(UserError):
    """A training diverged or cannot be resumed."""


class MeasureError(UserError):
    """A measurement is not defined on what it was given."""


class InputError(MeasureError):
    """What a user gave cannot be measured: the argument, what was found there and the remedy."""

    def __init__(self, argument: str, found: str, remedy: str) -> None:
        super().__init__(f"{argument}: {found}; {remedy}")
        self.argument, self.found, self.remedy = argument, found, remedy


def brief(error: Exception, letters: int = 300) -> str:
    """What a library says, cut where it quotes the content of a damaged file."""
    words = str(error)
    return words if len(words) <= letters else f"{words[:letters]} ..."


def require_choice(name: str, value: object, choices: Any) -> None:
    """Refuses a value that is none of a Literal's, naming those."""
    allowed = get_args(choices)
    if value not in allowed:
        raise ConfigError(f"{name} must be {' or '.join(map(repr, allowed))}, found {value!r}")
