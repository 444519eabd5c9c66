"""The Python packages a run needs, and how Slicer gets them: asked for at Apply, never at import, never in a scripted run.

PyTorch comes through Slicer's extension 'PyTorch' alone, which finds the build that fits the computer. The rest is installed with
constraints that pin what Slicer and PyTorch brought, so that pip cannot replace it. Where the user has set a folder with packages, for
computers without a network, everything comes from there and nothing is looked for elsewhere.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from deepseg.api import DeepSegError, resource

TORCH_RANGE = ">=2.4"
_KEPT = ("numpy", "SimpleITK", "vtk", "torch", "torchvision", "scipy")
"""Packages that an installation must leave as they are."""


class DependencyError(DeepSegError):
    """A package is missing and was not installed."""


def missing_packages() -> list[str]:
    """Requirements (as in requirements.txt) that this Python does not satisfy; looks at metadata and imports none of them."""
    importlib.invalidate_caches()
    return [requirement for requirement in (f"torch{TORCH_RANGE}", *_requirements()) if not _is_satisfied(requirement)]


def require() -> None:
    """Refuse a run that would fail for lack of packages.

    Raises:
        DependencyError: names what is missing and what to do.
    """
    missing = missing_packages()
    if missing:
        raise DependencyError(
            f"DeepSeg needs Python packages that Slicer does not have yet: {', '.join(missing)}. "
            "Press Apply in the module DeepSeg Segmentation to install them."
        )


def install(confirm: Callable[[str], bool], folder: Path | None = None) -> None:
    """Install what is missing, after asking.

    Args:
        confirm: shows a question and returns whether the user agrees.
        folder: holds packages (.whl), for computers without a network; None for the network.

    Raises:
        DependencyError: the user declined, the extension 'PyTorch' is missing, or the installation failed.
    """
    missing = missing_packages()
    if folder:
        _install(missing, confirm, folder)
        missing = []
    if any(requirement.startswith("torch") for requirement in missing):
        _install_torch()
    rest = [requirement for requirement in missing if not requirement.startswith("torch")]
    if rest:
        _install(rest, confirm)
    still_missing = missing_packages()
    if still_missing:
        raise DependencyError(
            f"After the installation Slicer still lacks {', '.join(still_missing)}. Restart Slicer and try again; "
            "the Python console shows what pip said."
        )


def _install_torch() -> None:
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise DependencyError(
            "DeepSeg needs Slicer's extension 'PyTorch'. Install it in the Extensions Manager, restart Slicer and press Apply again."
        ) from error
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=TORCH_RANGE)
    except Exception as error:  # the extension hands on whatever pip and its helper raise
        raise DependencyError(
            f"PyTorch could not be installed ({error}). The Python console shows why; the module PyTorch offers other builds."
        ) from error
    if torch is None:
        raise DependencyError("The run needs PyTorch; nothing was installed.")


def _install(requirements: list[str], confirm: Callable[[str], bool], from_folder: Path | None = None) -> None:
    names = ", ".join(requirements)
    with tempfile.TemporaryDirectory(prefix="pip-constraints-") as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{line}\n" for line in kept_versions()), encoding="utf-8")
        try:
            if not _pip_install(requirements, str(constraints), confirm, from_folder):
                raise DependencyError(f"The run needs the Python packages {names}; nothing was installed.")
        except (RuntimeError, OSError, CalledProcessError) as error:
            raise DependencyError(
                f"{names} could not be installed ({error}). {_hint(from_folder)} The Python console shows what pip said."
            ) from error


def _hint(folder: Path | None) -> str:
    return f"Does {folder} hold all of them and what they need, for this system and Python?" if folder else "Is the network reachable?"


def _pip_install(requirements: list[str], constraints: str, confirm: Callable[[str], bool], folder: Path | None = None) -> bool:
    """Ask and install; False where the user declined. Slicer 5.12 and newer ask and show progress themselves."""
    import slicer

    if folder:
        if not confirm(f"DeepSeg needs the Python packages {', '.join(requirements)}. Install them now from {folder}?"):
            return False
        slicer.util.pip_install(["--no-index", "--find-links", str(folder), "-c", constraints, *requirements])
        return True
    try:
        from slicer.packaging import pip_ensure
    except ModuleNotFoundError:
        names = ", ".join(requirements)
        if not confirm(f"DeepSeg needs the Python packages {names}. They will be downloaded from the Python Package Index. Install them now?"):
            return False
        slicer.util.pip_install(["-c", constraints, *requirements])
        return True
    pip_ensure(list(requirements), constraints=constraints, requester="DeepSeg")
    return True


def kept_versions() -> list[str]:
    """The constraints of an installation: each package that must stay, at the version that is here."""
    kept = []
    for name in _KEPT:
        try:
            kept.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return kept


def _requirements() -> list[str]:
    lines = resource("requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _is_satisfied(requirement: str) -> bool:
    wanted = _parse(requirement)
    try:
        return importlib.util.find_spec(wanted.name) is not None and wanted.specifier.contains(version(wanted.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _parse(requirement: str) -> Any:
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:  # Slicer always has pip, and pip brings its own copy
        from pip._vendor.packaging.requirements import Requirement
    return Requirement(requirement)
