"""`slicer.parameterNodeWrapper`: typed fields stored in a real vtkMRMLScriptedModuleNode as Slicer 5.8.1 stores them, bound to widgets as there.

Not stood in for: lists, dictionaries, tuples, `Any`, parameter packs, ranges and making widgets for fields.
"""

from panels.slicer_stand_in.parameters.annotations import (
    Choice,
    Decimals,
    Default,
    Exclude,
    IsInstance,
    Maximum,
    Minimum,
    NotNone,
    SingleStep,
    Validator,
    WithinRange,
)
from panels.slicer_stand_in.parameters.connectors import GuiConnector, createGuiConnector, parameterNodeGuiConnector
from panels.slicer_stand_in.parameters.wrapper import (
    SlicerParameterNamePropertyName,
    findChildWidgetForParameter,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "GuiConnector",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "createGuiConnector",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeGuiConnector",
    "parameterNodeWrapper",
]
