"""The selectors of a model's input volumes: as many as the model has inputs, named as the model names them."""

from __future__ import annotations

from typing import Any

from deepseg.api import ModelCard, VolumeError
from DeepSegLib.translation import _

MOST_INPUTS = 4
_PARAMETERS = ("inputVolume", "inputVolume2", "inputVolume3", "inputVolume4")
_SELECTORS = ("inputSelector", "inputSelector2", "inputSelector3", "inputSelector4")


def show_inputs(ui: Any, card: ModelCard | None, shown: bool = True) -> None:
    """Show the rows that a model has inputs for; none where not `shown`."""
    names = card.inputs if card and card.inputs else ("",)
    for n, name in enumerate(_SELECTORS):
        row = shown and n < len(names)
        selector, label = getattr(ui, name), getattr(ui, f"{name}Label")
        selector.visible = row
        label.visible = row
        if row:
            label.text = f"{names[n]}:" if len(names) > 1 else _("Volume:")


def chosen_volumes(parameters: Any, card: ModelCard) -> list[Any]:
    """The volume nodes that are chosen for a model's inputs, in order.

    Raises:
        VolumeError: one is missing, one is chosen twice, or the model has more inputs than the panel.
    """
    count = max(len(card.inputs), 1)
    if count > MOST_INPUTS:
        raise VolumeError(
            _("The model '{name}' has {count} inputs; the panel offers {most}. Run it from the command line: deepseg segment.").format(
                name=card.name, count=count, most=MOST_INPUTS
            )
        )
    nodes = [getattr(parameters, name) for name in _PARAMETERS[:count]]
    for n, node in enumerate(nodes):
        if node is None:
            told = card.inputs[n] if count > 1 else ""
            raise VolumeError(_("Choose a volume for the input {name} first.").format(name=told) if told else _("Choose a volume first."))
        if any(node.GetID() == other.GetID() for other in nodes[:n]):
            raise VolumeError(_("'{name}' is chosen for two inputs of the model. Choose another volume for one of them.").format(name=node.GetName()))
    return nodes


def first_volume(parameters: Any, scene: Any) -> None:
    """Choose the scene's first volume where none is chosen: one that the selector offers."""
    if parameters.inputVolume:
        return
    nodes = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    nodes.UnRegister(None)
    for n in range(nodes.GetNumberOfItems()):
        node = nodes.GetItemAsObject(n)
        # A scene also counts label maps and vector volumes as scalar volumes; maps are DeepSeg's own.
        if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetHideFromEditors() and not node.GetAttribute("DeepSeg.Role"):
            parameters.inputVolume = node
            return
