"""What is missing, and what an installation must leave alone."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from DeepSegLib import dependencies


def test_nothing_is_missing_here():
    assert dependencies.missing_packages() == []


def test_looking_does_not_import_torch():
    code = "from DeepSegLib import dependencies; dependencies.missing_packages(); import sys; print('torch' in sys.modules, 'monai' in sys.modules)"
    folder = dependencies.__file__.rsplit("DeepSegLib", 1)[0]
    said = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("requirement", ["deepseg-no-such-package>=1", "numpy>=99"])
def test_absent_and_too_old_packages_are_missing(requirement, monkeypatch):
    monkeypatch.setattr(dependencies, "_requirements", lambda: [requirement])

    assert dependencies.missing_packages() == [requirement]
    with pytest.raises(dependencies.DependencyError, match="does not have yet"):
        dependencies.require()


def test_an_installation_keeps_what_slicer_and_pytorch_brought():
    kept = dependencies.kept_versions()

    assert f"numpy=={version('numpy')}" in kept
    assert f"torch=={version('torch')}" in kept
    assert f"SimpleITK=={version('SimpleITK')}" in kept


def test_pip_is_handed_constraints_and_only_what_is_missing(monkeypatch):
    handed = []

    def install(requirements, constraints, confirm, folder):
        from pathlib import Path

        handed.append((requirements, Path(constraints).read_text().splitlines(), folder))
        return True

    answers = iter([["monai>=1.4"], []])
    monkeypatch.setattr(dependencies, "missing_packages", lambda: next(answers))
    monkeypatch.setattr(dependencies, "_pip_install", install)

    dependencies.install(confirm=lambda question: True)

    assert handed == [(["monai>=1.4"], dependencies.kept_versions(), None)]
