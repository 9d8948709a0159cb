"""The generated file in the repository is what its model says."""

from pathlib import Path

import yaml

from sgdiffusion.cli import main
from sgdiffusion.config.generate import default_config
from sgdiffusion.config.load import parse_settings
from sgdiffusion.config.models import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_generated_file_is_current():
    assert (ROOT / "config/config.yaml").read_text() == default_config(), "run `make config` and commit"


def test_default_config_is_the_defaults():
    assert parse_settings(yaml.safe_load(default_config())) == Settings()


def test_command_writes_it(tmp_path: Path):
    assert main(["artifact", "config", "--root", str(tmp_path)]) == 0
    assert (tmp_path / "config/config.yaml").read_text() == default_config()


def test_command_reports_user_errors(monkeypatch, capsys):
    from sgdiffusion import cli
    from sgdiffusion.errors import ConfigError

    def fail(root):
        raise ConfigError("the reason")

    monkeypatch.setattr(cli, "write_config", fail)
    assert main(["artifact", "config"]) == 1
    assert capsys.readouterr().err == "error: the reason\n"
