"""The generated files in the repository are what the models say."""

from pathlib import Path

import pytest
import yaml

from sgdiffusion.cli import main
from sgdiffusion.config.generate import default_config, generated_files
from sgdiffusion.config.load import parse_settings
from sgdiffusion.config.models import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", generated_files())
def test_generated_files_are_current(name: str):
    assert (ROOT / name).read_text() == generated_files()[name], "run `make config` and commit"


def test_default_config_is_the_defaults():
    assert parse_settings(yaml.safe_load(default_config())) == Settings()


def test_command_writes_them(tmp_path: Path, capsys):
    assert main(["config", "--root", str(tmp_path)]) == 0
    for name, content in generated_files().items():
        assert (tmp_path / name).read_text() == content


def test_command_reports_user_errors(monkeypatch, capsys):
    from sgdiffusion import cli
    from sgdiffusion.errors import ConfigError

    def fail(root):
        raise ConfigError("the reason")

    monkeypatch.setattr(cli, "write_config", fail)
    assert main(["config"]) == 1
    assert capsys.readouterr().err == "error: the reason\n"
