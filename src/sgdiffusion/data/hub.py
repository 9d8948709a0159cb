"""Files of the Hugging Face hub: what it is, how large and under which licence is said first.

The hub's own client fetches, into its own cache (environment variable HF_HOME), resumed and
checked by it; with HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE set only that cache is used. Weights come in one
form: where a repository holds safetensors, its pickled copies are left out.
"""

import logging
import shutil
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

from sgdiffusion.data.files import writing
from sgdiffusion.data.sources import HUB
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

MISSING = (
    "the language models need the optional packages of the extra `language`, which this environment lacks: "
    "make .venv anew (its lock holds them), or run `pip install '.[language]'` in the checkout"
)


def client() -> ModuleType:
    """The package huggingface_hub, which comes with transformers."""
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors  # submodules are not there by importing the package
    except ImportError as error:
        raise DataError(f"Nothing can be fetched from the Hugging Face hub: {MISSING}.") from error
    return huggingface_hub


def fetch(
    address: str, patterns: list[str], licence: str, stage: Path, endpoint: str | None = None
) -> tuple[str, str]:
    """Copies the wanted files of a repository into `stage`; returns its address with commit, and licence.

    `address`: hf://[datasets/]owner/name[@commit], without a commit the newest one. `licence` is what is
    known of it; the repository's own card goes before.
    """
    hub, match = client(), HUB.fullmatch(address)
    assert match, "the table of sources was checked"
    repo, commit, folder = match["repo"], match["commit"], match["folder"] or ""
    asked: dict[str, Any] = {"repo_type": "dataset" if folder else "model", "revision": commit}
    if hub.constants.HF_HUB_OFFLINE:
        logger.info("%s: offline (HF_HUB_OFFLINE): only the hub's cache on this machine is used", repo)
        names = patterns
        snapshot = _cached(hub, repo, patterns, asked)
        commit = snapshot.name
    else:
        info = _described(hub, repo, asked, endpoint)
        commit, sizes = str(info.sha), _wanted(info, patterns)
        licence, names = _licence(info) or licence, list(sizes)
        logger.info(
            "%s at commit %s: fetching %d files, %s bytes; licence: %s; https://huggingface.co/%s%s",
            *(repo, commit, len(sizes), f"{sum(sizes.values()):,}", licence, folder, repo),
        )
        asked["revision"] = commit
        snapshot = _fetched(hub, repo, names, asked, endpoint)
    with writing(stage):
        for name in names:
            for path in snapshot.glob(name):
                target = stage / path.relative_to(snapshot)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    return f"hf://{folder}{repo}@{commit}", licence


def _cached(hub: ModuleType, repo: str, patterns: list[str], asked: dict[str, Any]) -> Path:
    try:
        return Path(hub.snapshot_download(repo, allow_patterns=patterns, local_files_only=True, **asked))
    except hub.errors.LocalEntryNotFoundError as error:
        raise DataError(
            f"{repo} is not in the hub's cache ({hub.constants.HF_HUB_CACHE}) and the hub may not be asked "
            "(HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set). Unset it to fetch it, or put the files into a "
            "folder and name that folder as its address in data/sources.csv."
        ) from error


def _described(hub: ModuleType, repo: str, asked: dict[str, Any], endpoint: str | None) -> Any:
    try:
        return hub.HfApi(endpoint=endpoint).repo_info(repo, files_metadata=True, timeout=30, **asked)
    except Exception as error:  # the client raises many kinds, of its own and of the libraries below it
        raise _failed(repo, error) from error


def _fetched(
    hub: ModuleType, repo: str, names: list[str], asked: dict[str, Any], endpoint: str | None
) -> Path:
    try:
        return Path(hub.snapshot_download(repo, allow_patterns=names, endpoint=endpoint, **asked))
    except Exception as error:  # as above; what came so far stays in the client's cache
        raise _failed(repo, error) from error


def _failed(repo: str, error: Exception) -> DataError:
    reason = (str(error).strip().splitlines() or [""])[0]
    return DataError(
        f"Could not fetch {repo} from the Hugging Face hub ({type(error).__name__}: {reason}). With a "
        "connection, try again: what came so far is kept. Without one, put the files into a folder and name "
        "that folder as its address in data/sources.csv."
    )


def _wanted(info: Any, patterns: list[str]) -> dict[str, int]:
    """Name and size of the wanted files."""
    sizes = {s.rfilename: int(s.size or 0) for s in info.siblings}
    chosen = {n: b for n, b in sizes.items() if any(fnmatch(n, p) for p in patterns)}
    if any(name.endswith(".safetensors") for name in chosen):
        chosen = {n: b for n, b in chosen.items() if not n.endswith(".bin")}
    return chosen


def _licence(info: Any) -> str | None:
    """The licence of the repository's card, if it states one."""
    card = info.card_data
    stated = card.get("license") if card else None
    return str(stated) if stated else None
