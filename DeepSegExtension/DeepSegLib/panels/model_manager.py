"""The section Models of the panel DeepSeg Segmentation: import, add, delete; and where Python packages come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepseg.api import DeepSegError
from DeepSegLib import log
from DeepSegLib.models import ADDED, IMPORTED, InstalledModel, ModelStore, size_text
from DeepSegLib.panels.tables import fill_table
from DeepSegLib.runs.importing import ModelImport
from DeepSegLib.translation import _

_POLL_MS = 100


class ModelManager:
    """Steers `modelsTable` and the buttons below it. Messages go to the panel's status line."""

    def __init__(self, ui: Any, timer: Any, store: ModelStore, confirm: Callable[[str], bool], changed: Callable[[str | None], None]) -> None:
        """`timer` is a QTimer that nobody else uses; `changed` is told the name of a model that has come, or None."""
        self._ui, self._timer, self._store, self._confirm, self._changed = ui, timer, store, confirm, changed
        self._models: list[InstalledModel] = []
        self._import: ModelImport | None = None
        timer.setInterval(_POLL_MS)
        timer.connect("timeout()", self._on_timer)
        ui.importFolderButton.connect("clicked(bool)", self._on_import_folder)
        ui.importZipButton.connect("clicked(bool)", self._on_import_zip)
        ui.addFolderButton.connect("clicked(bool)", self._on_add_folder)
        ui.deleteModelButton.connect("clicked(bool)", self._on_delete)
        ui.forgetFolderButton.connect("clicked(bool)", self._on_forget)
        ui.packageFolderButton.connect("clicked(bool)", self._on_package_folder)
        ui.packageNetworkButton.connect("clicked(bool)", self._on_package_network)
        ui.modelsTable.connect("itemSelectionChanged()", self._on_selected)

    def fill(self) -> None:
        """Read the folders."""
        try:
            self._models = self._store.models()
        except DeepSegError as error:
            self._models = []
            self._tell(str(error))
        sources = {IMPORTED: _("imported"), ADDED: _("added folder")}
        rows = [(model.card.title, sources.get(model.source, _("shipped")), size_text(model.card.size_bytes)) for model in self._models]
        fill_table(self._ui.modelsTable, (_("Model"), _("From"), _("Size")), rows)
        folder = self._store.settings.package_folder
        told = _("Python packages are installed from {place}.")
        self._ui.packageFolderLabel.text = told.format(place=folder or _("the network, after you were asked"))
        self._ui.packageNetworkButton.visible = folder is not None
        self._on_selected()

    def stop(self) -> None:
        """End an import that is under way."""
        self._timer.stop()
        if self._import:
            self._import.cancel()
            self._import = None

    @property
    def _chosen(self) -> InstalledModel | None:
        row = self._ui.modelsTable.currentRow()
        return self._models[row] if 0 <= row < len(self._models) else None

    def _on_selected(self) -> None:
        model = self._chosen
        self._ui.deleteModelButton.enabled = bool(model and model.deletable)
        self._ui.forgetFolderButton.enabled = bool(model and model.source == ADDED)

    def _on_import_folder(self, checked: bool = False) -> None:
        if folder := _ask_folder(_("Results folder of nnU-Net v2, or MONAI bundle")):
            self._begin(folder)

    def _on_import_zip(self, checked: bool = False) -> None:
        import qt

        name = qt.QFileDialog.getOpenFileName(None, _("Zip file with a MONAI bundle"), "", _("Zip files (*.zip)"))
        if name:
            self._begin(Path(name))

    def _begin(self, source: Path) -> None:
        try:
            self._import = ModelImport(source, self._store.own)
        except (DeepSegError, OSError) as error:
            self._tell(str(error))
            return
        self._let_import(False)
        self._tell(_("Importing {name}; this may take a minute.").format(name=source.name))
        self._timer.start()

    def _on_timer(self) -> None:
        if self._import and self._import.poll():
            return
        self._timer.stop()
        ended, self._import = self._import, None
        self._let_import(True)
        if ended is None:
            return
        if ended.folder is None:
            self._tell(ended.error or "")
            return
        self.fill()
        self._changed(ended.folder.name)
        self._tell(" ".join([_("Imported: {name}.").format(name=ended.folder.name), *ended.notes]))

    def _let_import(self, may: bool) -> None:
        self._ui.importFolderButton.enabled = may
        self._ui.importZipButton.enabled = may

    def _on_add_folder(self, checked: bool = False) -> None:
        folder = _ask_folder(_("Folder with DeepSeg models"))
        if folder is None:
            return
        try:
            found = self._store.add_folder(folder)
        except DeepSegError as error:
            self._tell(str(error))
            return
        self.fill()
        self._changed(found[0].name if found else None)
        self._tell(_("Added: {names}.").format(names=", ".join(model.card.title for model in found)))

    def _on_delete(self, checked: bool = False) -> None:
        model = self._chosen
        if model is None:
            return
        question = _("Delete the model '{title}' ({size}) from {folder}? It can be imported again only from where it came.")
        if not self._confirm(question.format(title=model.card.title, size=size_text(model.card.size_bytes), folder=model.folder)):
            return
        self._change(lambda: self._store.delete(model), _("Deleted: {title}.").format(title=model.card.title))

    def _on_forget(self, checked: bool = False) -> None:
        model = self._chosen
        if model is not None:
            folder = model.folder.parent
            self._change(
                lambda: self._store.forget_folder(folder), _("No longer offered: {folder}. Its files are where they were.").format(folder=folder)
            )

    def _on_package_folder(self, checked: bool = False) -> None:
        folder = _ask_folder(_("Folder with Python packages (.whl)"))
        if folder is None:
            return
        if not any(folder.glob("*.whl")):
            self._tell(_("{folder} holds no Python package (.whl).").format(folder=folder))
            return
        self._store.settings.package_folder = folder
        self.fill()

    def _on_package_network(self, checked: bool = False) -> None:
        self._store.settings.package_folder = None
        self.fill()

    def _change(self, act: Callable[[], None], told: str) -> None:
        try:
            act()
        except DeepSegError as error:
            told = str(error)
        self.fill()
        self._changed(None)
        self._tell(told)

    def _tell(self, message: str) -> None:
        self._ui.statusLabel.styleSheet = ""
        self._ui.statusLabel.text = message
        log.note(message)


def _ask_folder(title: str) -> Path | None:
    import qt

    name = qt.QFileDialog.getExistingDirectory(None, title)
    return Path(name) if name else None
