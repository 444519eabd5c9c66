"""What the panel of DeepSeg Uncertainty does with its widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from deepseg.api import DeepSegError
from DeepSegLib.models import ModelStore
from DeepSegLib.panels.choices import Choice
from DeepSegLib.panels.doubt_tables import RegionList, SegmentTable
from DeepSegLib.panels.help import HelpSection
from DeepSegLib.panels.overlay import NO_MAP, Overlay
from DeepSegLib.panels.preview import PreviewControls
from DeepSegLib.panels.run_controls import RunControls, installer
from DeepSegLib.panels.subject import SubjectSelector
from DeepSegLib.runs.run import Run
from DeepSegLib.scene.display import show_plot
from DeepSegLib.scene.maps import KIND, maps_of_doubt
from DeepSegLib.scene.origin import input_volumes
from DeepSegLib.scene.plots import RELIABILITY, chart_about
from DeepSegLib.scene.segments import SEGMENTS_DIGEST, segments_digest, segments_time
from DeepSegLib.scene.tables import SEGMENTS_TABLE, table_about, told_of
from DeepSegLib.translation import _

USUAL_WAY = ""
_FIRST_SHOWN = ("error_probability", "predictive_entropy")


class Logic(Protocol):
    """The module's logic, as far as the panel needs it."""

    scene: Any

    def getParameterNode(self) -> Any: ...
    def start(self, segmentationNode: Any, **choices: Any) -> Run: ...
    def preview(self, volumeNodes: Any, model: Any, **choices: Any) -> Run: ...


class UncertaintyPanel:
    """Connects the widgets in `ui` to runs of `logic` and to what they left in the scene.

    Attributes:
        parameters: the parameter node whose choices are shown; None while the module is not shown.
        controls: Apply, Cancel, Undo and the status line.
    """

    def __init__(self, ui: Any, logic: Logic, store: ModelStore, confirm: Callable[[str], bool], open_editor: Callable[[], None]) -> None:
        """`confirm` asks the user a question; `open_editor` shows the module Segment Editor."""
        from qt import QTimer

        self.parameters: Any = None
        self._ui, self._logic, self._digest = ui, logic, (None, 0, "")
        self._subject = SubjectSelector(ui, store, lambda: self.parameters)
        self._overlay = Overlay(ui, logic.scene, lambda: self.parameters)
        self._way = Choice(ui.samplerSelector, lambda: self.parameters, "sampler")
        self._segments = SegmentTable(ui)
        self._regions = RegionList(ui, logic.scene, open_editor)
        self._preview = PreviewControls(ui, QTimer(), lambda: self.parameters, self._asked, self.update)
        self.controls = RunControls(ui, QTimer(), confirm, installer(confirm, store), self._start, self._done, self.update)
        HelpSection(
            ui,
            _("Choose a segmentation. If it has no maps of doubt yet, press Estimate uncertainty. Then go through the regions in 'Where to look'."),
        )
        ui.reliabilityButton.connect("clicked(bool)", self._on_reliability)
        self._offer_ways()

    def complete(self, parameters: Any) -> None:
        """Choose a segmentation and a map where nothing is chosen yet."""
        self._subject.complete(parameters, self._logic.scene)
        if parameters.segmentation and not parameters.shownMap:
            _choose_map(parameters, maps_of_doubt(self._logic.scene, parameters.segmentation))

    def show(self, parameters: Any) -> None:
        self.parameters = parameters
        self._overlay.renew()
        self.update()

    def update(self) -> None:
        parameters = self.parameters
        if parameters is None:
            return
        self._subject.update()
        node, scene = parameters.segmentation, self._logic.scene
        below = input_volumes(node)[0] if node and input_volumes(node) else parameters.inputVolume
        maps = maps_of_doubt(scene, node) if node else {}
        if parameters.shownMap and parameters.shownMap not in [one.GetID() for one in maps.values()]:
            _choose_map(parameters, maps)  # that of another segmentation, or it is no longer there
        self._overlay.offer([(_title(one), one) for one in maps.values()], below, node)
        table = table_about(scene, node, SEGMENTS_TABLE) if node else None
        self._segments.show(table)
        self._regions.show(node, maps)
        self._tell_of(node, table)
        self._ui.reliabilityButton.enabled = bool(node and chart_about(scene, node, RELIABILITY))
        self._preview.update()
        self._ui.forecastLabel.text = self._preview.forecast
        self._offer_ways()
        self.controls.let_apply(self._obstacle(), _("Ask the model how sure it is of this volume. The segments stay as they are."))

    def stop(self, message: str) -> None:
        self._preview.stop()
        self.controls.stop(message)

    def forget(self) -> None:
        self._preview.forget()
        self.controls.forget()
        self._overlay.forget()
        self._segments.show(None)
        self._regions.show(None, {})
        self._ui.findingsLabel.text = ""
        self._ui.notesLabel.text = ""

    def _obstacle(self) -> str:
        """What keeps a run from starting; '' for nothing."""
        try:
            self._subject.subject()
        except DeepSegError as error:
            return str(error)
        return self._preview.problem

    def _tell_of(self, node: Any, table: Any) -> None:
        """What is unlike the training images, and what else a user must know of the figures."""
        told = told_of(table) if table else {}
        findings = list(told.get("findings", []))
        if not table and self._preview.told:
            findings = [finding.told for finding in self._preview.told.findings]
        self._ui.findingsLabel.text = f"\N{WARNING SIGN} {' '.join(findings)}" if findings else ""
        notes = list(told.get("notes", []))
        if table and self._digest_of(node) != table.GetAttribute(SEGMENTS_DIGEST):
            notes.insert(0, _("The segments were edited since: these figures are of the segments before."))
        if table and not told.get("calibrated", True):
            notes.append(_("This way was not calibrated for this model: the map ranks voxels, its values are no probabilities."))
        self._ui.notesLabel.text = " ".join(notes)

    def _digest_of(self, node: Any) -> str:
        """Computed anew only after the segments have changed."""
        key = (node.GetID(), segments_time(node))
        if self._digest[:2] != key:
            self._digest = (*key, segments_digest(node))
        return self._digest[2]

    def _choices(self, subject: Any) -> dict[str, Any]:
        return {
            "volumeNodes": subject.volumes,
            "model": subject.model.folder,
            "region": subject.box,
            "sampler": self._way.key or None,
            "device": self._preview.device,
        }

    def _asked(self) -> tuple[Any, Callable[[], Run]] | None:
        try:
            subject = self._subject.subject()
        except DeepSegError:
            return None
        if self.controls.running:
            return None
        key = (*((node.GetID(), node.GetMTime()) for node in subject.volumes), str(subject.model.folder), subject.box, self._preview.device)
        about = {"region": subject.box, "uncertainty": True, "device": self._preview.device}
        return key, lambda: self._logic.preview(subject.volumes, subject.model.folder, **about)

    def _start(self) -> Run:
        self._preview.stop()
        subject = self._subject.subject()
        return self._logic.start(subject.segmentation, **self._choices(subject))

    def _done(self, run: Run) -> str:
        parameters = self._logic.getParameterNode()
        _choose_map(parameters, maps_of_doubt(self._logic.scene, parameters.segmentation))
        return _("Done: maps and tables are in the scene.")

    def _offer_ways(self) -> None:
        """The usual way and, once the worker has told, the others that this model has."""
        told = self._preview.told
        self._way.offer([(USUAL_WAY, _("Usual")), *((way.key, way.title[:1].upper() + way.title[1:]) for way in (told.samplers if told else ()))])

    def _on_reliability(self, checked: bool = False) -> None:
        node = self.parameters.segmentation if self.parameters else None
        if chart := node and chart_about(self._logic.scene, node, RELIABILITY):
            show_plot(self._logic.scene, chart)


def _choose_map(parameters: Any, maps: dict[str, Any]) -> None:
    """The map that says most in one picture; none where there is none."""
    chosen = next((maps[measure] for measure in _FIRST_SHOWN if measure in maps), None)
    parameters.shownMap = chosen.GetID() if chosen else NO_MAP


def _title(node: Any) -> str:
    """A map's title with what kind of doubt it shows."""
    kinds = {"total": _("total"), "aleatoric": _("of the image (aleatoric)"), "epistemic": _("of the model (epistemic)")}
    title = node.GetAttribute("DeepSeg.Title") or node.GetName()
    kind = kinds.get(node.GetAttribute(KIND) or "", "")
    return f"{title}: {kind}" if kind else title
