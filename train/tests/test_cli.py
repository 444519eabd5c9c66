"""What the command line says when it is stopped."""

import importlib

import pytest

from deepseg_train.cli import main

WORDS = {
    "fit": ["--config", "c.yaml", "--data", "d"],
    "search": ["--folder", "f"],
    "export": ["run", "--data", "d", "-o", "m"],
    "check": ["d"],
}


def stopped(options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", WORDS)
def test_only_commands_that_go_on_say_so_when_they_are_stopped(command, monkeypatch, capsys):
    monkeypatch.setattr(importlib.import_module(f"deepseg_train.commands.{command}"), "run", stopped)
    assert main([command, *WORDS[command]]) == 130
    goes_on = "; the same command goes on" if command in ("fit", "search") else ""
    assert capsys.readouterr().err == f"deepseg-train: stopped{goes_on}.\n"
