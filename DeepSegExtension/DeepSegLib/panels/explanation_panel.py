"""What the panel of DeepSeg Explanation does with its widgets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from deepseg.api import DeepSegError, explanation_methods
from DeepSegLib.models import ModelStore
from DeepSegLib.panels.choices import Choice
from DeepSegLib.panels.help import HelpSection
from DeepSegLib.panels.overlay import NO_MAP, Overlay
from DeepSegLib.panels.preview import PreviewControls
from DeepSegLib.panels.run_controls import RunControls, installer
from DeepSegLib.panels.subject import SubjectSelector
from DeepSegLib.panels.watch import Watch
from DeepSegLib.runs.run import Run
from DeepSegLib.scene.display import show_plot
from DeepSegLib.scene.maps import EVIDENCE_MAP, EXPLANATION
from DeepSegLib.scene.origin import input_volumes, nodes_about
from DeepSegLib.scene.places import position_of, start_placing
from DeepSegLib.scene.plots import PLOT_ROLE
from DeepSegLib.translation import _

ANYTHING, BACKGROUND = "", "background"


class Logic(Protocol):
    """The module's logic, as far as the panel needs it."""

    scene: Any

    def getParameterNode(self) -> Any: ...
    def start(self, segmentationNode: Any, **choices: Any) -> Run: ...
    def preview(self, volumeNodes: Any, model: Any, **choices: Any) -> Run: ...


class ExplanationPanel:
    """Connects the widgets in `ui` to runs of `logic` and to what they left in the scene.

    Attributes:
        parameters: the parameter node whose choices are shown; None while the module is not shown.
        controls: Apply, Cancel, Undo and the status line.
    """

    def __init__(self, ui: Any, logic: Logic, store: ModelStore, confirm: Callable[[str], bool]) -> None:
        """`confirm` asks the user a question."""
        from qt import QTimer

        self.parameters: Any = None
        self._ui, self._logic, self._placing = ui, logic, False
        self._subject = SubjectSelector(ui, store, lambda: self.parameters)
        self._overlay = Overlay(ui, logic.scene, lambda: self.parameters)
        combo_boxes = {"label": ui.labelSelector, "against": ui.againstSelector, "method": ui.methodSelector, "layer": ui.layerSelector}
        self._choice = {name: Choice(box, lambda: self.parameters, name) for name, box in combo_boxes.items()}
        self._preview = PreviewControls(ui, QTimer(), lambda: self.parameters, self._asked, self.update)
        self.controls = RunControls(ui, QTimer(), confirm, installer(confirm, store), self._start, self._done, self.update)
        self._watch = Watch(QTimer(), self._on_place_changed)
        HelpSection(ui, _("Choose a segmentation and a label, and press Explain. The verdict says how far the answer can be believed."))
        ui.placeButton.connect("clicked(bool)", self._on_place)
        ui.curvesButton.connect("clicked(bool)", self._on_curves)

    def complete(self, parameters: Any) -> None:
        """Choose a segmentation where none is chosen yet."""
        self._subject.complete(parameters, self._logic.scene)

    def show(self, parameters: Any) -> None:
        self.parameters = parameters
        if parameters is None:
            self._watch.follow(None)
        self._overlay.renew()
        self.update()

    def update(self) -> None:
        parameters = self.parameters
        if parameters is None:
            return
        self._watch.follow(parameters.place)
        self._subject.update()
        self._offer_question()
        node = parameters.segmentation
        maps = nodes_about(self._logic.scene, node, EVIDENCE_MAP) if node else []
        if parameters.shownMap and parameters.shownMap not in [one.GetID() for one in maps]:
            parameters.shownMap = maps[-1].GetID() if maps else NO_MAP
        below = input_volumes(node)[0] if node and input_volumes(node) else parameters.inputVolume
        self._overlay.offer([(_title(one), one) for one in reversed(maps)], below, node)
        shown = self._overlay.shown
        self._ui.mapCollapsibleButton.visible = bool(maps)
        self._ui.verdictLabel.text = verdict(shown) if shown else ""
        self._ui.curvesButton.enabled = bool(shown and shown.GetNodeReference(PLOT_ROLE))
        self._preview.update()
        self.controls.let_apply(self._obstacle(), _("Ask the model why. The segments stay as they are."))

    def stop(self, message: str) -> None:
        self._preview.stop()
        self.controls.stop(message)

    def forget(self) -> None:
        self._preview.forget()
        self.controls.forget()
        self._overlay.forget()
        self._ui.verdictLabel.text = ""

    def _offer_question(self) -> None:
        """Labels of the model that is asked, ways to explain, and layers where the way looks at one."""
        try:
            labels = self._subject.subject().model.card.labels
        except DeepSegError:
            labels = ()
        parameters, told, names = self.parameters, self._preview.told, [label.name for label in labels]
        chosen = parameters.label or (names[0] if names and not parameters.doubt and not parameters.place else "")
        whole = _("Whatever the model says") if parameters.place and not parameters.doubt else _("All labels")
        anything = [(ANYTHING, whole)] if parameters.place or parameters.doubt else []
        self._choice["label"].offer([*anything, *((name, name) for name in names)])
        others = [(name, name) for name in names if name != chosen]
        self._choice["against"].offer([(ANYTHING, _("Anything else")), *others, *([(BACKGROUND, _("Background"))] if labels else [])])
        for name in ("againstSelector", "againstSelectorLabel"):
            getattr(self._ui, name).visible = not parameters.doubt
        fitting = [method for method in explanation_methods() if not told or method.key in told.methods]
        usual = next((method.title for method in fitting if method.usual), "")
        self._choice["method"].offer([("", _("Usual ({title})").format(title=usual)), *((one.key, one.title) for one in fitting if not one.usual)])
        looks = any(method.key == self._choice["method"].key and method.needs_layer for method in fitting)
        for name in ("layerSelector", "layerSelectorLabel"):
            getattr(self._ui, name).visible = looks
        usual_layer = _("Usual ({layer})").format(layer=told.usual_layer) if told and told.usual_layer else _("Usual")
        self._choice["layer"].offer([("", usual_layer), *((layer, layer) for layer in (told.layers if told else ()))])

    def _obstacle(self) -> str:
        """What keeps a run from starting; '' for nothing."""
        try:
            self._subject.subject()
        except DeepSegError as error:
            return str(error)
        return self._preview.problem

    def _choices(self, subject: Any) -> dict[str, Any]:
        chosen = self.parameters or self._logic.getParameterNode()
        looks = any(method.key == self._choice["method"].key and method.needs_layer for method in explanation_methods())
        return {
            "volumeNodes": subject.volumes,
            "model": subject.model.folder,
            "region": subject.box,
            "label": self._choice["label"].key or None,
            "against": None if chosen.doubt else self._choice["against"].key or None,
            "place": position_of(chosen.place) if chosen.place else None,
            "doubt": chosen.doubt,
            "method": self._choice["method"].key or None,
            "layer": (self._choice["layer"].key or None) if looks else None,
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
        about = {"region": subject.box, "device": self._preview.device}
        return key, lambda: self._logic.preview(subject.volumes, subject.model.folder, **about)

    def _start(self) -> Run:
        self._preview.stop()
        subject = self._subject.subject()
        return self._logic.start(subject.segmentation, **self._choices(subject))

    def _done(self, run: Run) -> str:
        self._logic.getParameterNode().shownMap = run.result.GetID()
        return _("Done: '{name}'.").format(name=run.result.GetName())

    def _on_place(self, checked: bool = False) -> None:
        if self.parameters:
            self.parameters.place = start_placing(self._logic.scene, self.parameters.place)
            self._placing = True
            self.controls.tell(_("Click in a slice view on the voxel to ask about."))

    def _on_place_changed(self) -> None:
        if self._placing and self.parameters and self.parameters.place and self.parameters.place.GetNumberOfDefinedControlPoints():
            self._placing = False
            self.controls.tell(_("The place is chosen."))
        self.update()

    def _on_curves(self, checked: bool = False) -> None:
        if shown := self._overlay.shown:
            show_plot(self._logic.scene, shown.GetNodeReference(PLOT_ROLE))


def verdict(map_node: Any) -> str:
    """How far an explanation can be believed, in words: the tests it failed first."""
    try:
        told = json.loads(map_node.GetAttribute(EXPLANATION) or "{}")
        checks, notes = list(told.get("checks", [])), list(told.get("notes", []))
        failed = [check["told"] for check in checks if not check["passed"]]
        passed = [check["told"] for check in checks if check["passed"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        return _("What was found out about this map cannot be read.")
    if not checks:
        head = _("Not tested: this map may say nothing about the model.")
    elif failed:
        head = _("Do not rely on this map: it failed {count} of {total} tests.").format(count=len(failed), total=len(checks))
    else:
        head = _("Passed all {total} tests.").format(total=len(checks))
    lines = [head, *(f"\N{BALLOT X} {one}" for one in failed), *(f"\N{CHECK MARK} {one}" for one in passed), *notes]
    return "\n".join([f"{told.get('question', '')}", *lines])


def _title(node: Any) -> str:
    try:
        told = json.loads(node.GetAttribute(EXPLANATION) or "{}")
        return f"{told['question']} {told['title']}"
    except (ValueError, TypeError, KeyError):
        return node.GetName()
