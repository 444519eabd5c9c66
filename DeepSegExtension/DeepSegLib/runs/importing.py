"""An import of a model in a process of its own: it may read gigabytes, and checkpoints are opened with PyTorch."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

from deepseg.api import ModelError
from DeepSegLib.translation import _
from DeepSegLib.worker_process import python_executable, start_process

_SAID = "worker.log"


class ModelImport:
    """One import; poll it now and then.

    Attributes:
        folder: the new model, once the import has succeeded.
        error: one sentence for the user, once it has failed; nothing is left of the model then.
        notes: where the model differs from its source, a sentence each, once the import has succeeded.
    """

    def __init__(self, source: Path, own: Path) -> None:
        """Begin to import what lies at `source` into the folder `own`.

        Raises:
            ModelError: it is none of what can be imported, the model is there already, or no process can be started.
        """
        self.folder: Path | None = None
        self.error: str | None = None
        self.notes: tuple[str, ...] = ()
        name = source.stem if source.suffix == ".zip" else source.parent.name if (source / "plans.json").is_file() else source.name
        self._target = own / _plain(name)
        if self._target.exists():
            raise ModelError(_("There is a model '{name}' already. Delete it first, or rename what you import.").format(name=self._target.name))
        own.mkdir(parents=True, exist_ok=True)
        self._home = Path(tempfile.mkdtemp(prefix="deepseg-import-"))
        command = [python_executable(), "-m", "deepseg.cli", "import", _format_of(source), str(source), "-o", str(self._target)]
        try:
            self._process = start_process(command, self._home)
        except OSError as error:
            self._clear()
            raise ModelError(_("The import cannot be started ({reason}).").format(reason=error.strerror or error)) from error

    def poll(self) -> bool:
        """Returns whether the import goes on."""
        if self.folder or self.error is not None:
            return False
        status = self._process.poll()
        if status is None:
            return True
        said, told = self._said(), self._process.stdout.read().decode("utf-8", "replace").splitlines()
        if status == 0 and self._target.is_dir():
            self.folder = self._target
            self.notes = tuple(line.removeprefix("Note: ") for line in told if line.startswith("Note: "))
        else:
            self.error = said[-1] if said else _("The import ended unexpectedly (status {status}).").format(status=status)
        self._clear()
        return False

    def cancel(self) -> None:
        """Stop it and leave nothing behind."""
        if self._process.poll() is None:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        self.error = self.error or _("The import was cancelled.")
        if not self.folder:
            shutil.rmtree(self._target, ignore_errors=True)
        self._clear()

    def _said(self) -> list[str]:
        try:
            text = (self._home / _SAID).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line.strip().removeprefix("deepseg: ") for line in text.splitlines() if line.strip()]

    def _clear(self) -> None:
        if hasattr(self, "_process"):
            self._process.stdin.close()
            self._process.stdout.close()
        shutil.rmtree(self._home, ignore_errors=True)


def _format_of(source: Path) -> str:
    """Key of `deepseg import`.

    Raises:
        ModelError: it is none of what can be imported.
    """
    if (source / "plans.json").is_file() and (source / "dataset.json").is_file():
        return "nnunet"
    if source.suffix == ".zip" and zipfile.is_zipfile(source):
        return "monai"
    metadata = source / "configs" / "metadata.json"
    if metadata.is_file():
        with suppress(OSError, ValueError):
            if "deepseg" in json.loads(metadata.read_text(encoding="utf-8")):
                raise ModelError(_("{source} is a DeepSeg model already. Add the folder it lies in instead of importing it.").format(source=source))
        return "monai"
    raise ModelError(
        _(
            "{source} is no model that can be imported. Choose a results folder of nnU-Net v2 (with plans.json and dataset.json), "
            "a MONAI bundle's folder (with configs/metadata.json) or a zip file of one."
        ).format(source=source)
    )


def _plain(name: str) -> str:
    """A folder's name without what some systems refuse."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".-") or "model"
