"""DeepSeg's door: what panels, command line, worker and scripts use.

Importing it needs numpy alone: SimpleITK is loaded when a file is read or written, PyTorch and MONAI by the first call that runs a model.

    from deepseg import api
    bundle = api.load_model("hippocampus-mr")
    prediction = api.segment(api.read_volume("t1.nii.gz"), bundle, roi=api.Box((10, -40, -30), (45, 15, 5)))
    api.write_label_map(prediction.labels, "t1.seg.nrrd")
"""

from __future__ import annotations

from deepseg import __version__
from deepseg.api.explanation import explain, explain_cohort, explanation_layers, explanation_methods, usual_explanation_layer
from deepseg.api.models import describe_model, import_monai, import_nnunet, load_model, reliability
from deepseg.api.previews import list_devices, preview
from deepseg.api.segmentation import forecast, segment
from deepseg.api.uncertainty import contours, estimate_uncertainty, forecast_uncertainty, uncertain_regions, unusual
from deepseg.bias_field import correct_bias_field
from deepseg.bundle import ModelBundle, read_spec
from deepseg.errors import (
    Cancelled,
    DeepSegError,
    DeviceError,
    ExplanationError,
    MemoryLimitError,
    ModelError,
    OutputError,
    RegionError,
    UncertaintyError,
    VolumeError,
)
from deepseg.explanation.listed import ListedMethod
from deepseg.geometry import Box, Geometry, reverse_axes
from deepseg.inputs import prepare_inputs, read_inputs
from deepseg.io import read_volume, write_label_frames, write_label_map, write_volume
from deepseg.job_folder import Job, remove_folder, write_job
from deepseg.job_requests import ExplanationRequest, PreviewRequest, UncertaintyRequest
from deepseg.job_result import JobResult, read_result
from deepseg.locations import find_model, list_models, resource
from deepseg.model_card import LabelAccuracy, ModelCard, ReliabilityCurve
from deepseg.outputs import check_frames_output, check_output, set_aside
from deepseg.progress import Progress, ProgressCallback
from deepseg.results import (
    Device,
    Explanation,
    ExplanationCheck,
    Finding,
    Prediction,
    Preview,
    SamplingWay,
    SegmentReport,
    UncertainRegion,
    Uncertainty,
    UncertaintyMap,
)
from deepseg.segmentation_file import segment_id, terminology_entry
from deepseg.sequences import ImageSequence, read_sequence
from deepseg.spec import ModelSpec, spacing_text
from deepseg.stacking import stack_volumes
from deepseg.staleness import is_stale
from deepseg.volume import Code, Label, LabelMap, Terminology, Volume

__all__ = [
    "Box",
    "Cancelled",
    "Code",
    "DeepSegError",
    "Device",
    "DeviceError",
    "Explanation",
    "ExplanationCheck",
    "ExplanationError",
    "ExplanationRequest",
    "Finding",
    "Geometry",
    "ImageSequence",
    "Job",
    "JobResult",
    "Label",
    "LabelAccuracy",
    "LabelMap",
    "ListedMethod",
    "MemoryLimitError",
    "ModelBundle",
    "ModelCard",
    "ModelError",
    "ModelSpec",
    "OutputError",
    "Prediction",
    "Preview",
    "PreviewRequest",
    "Progress",
    "ProgressCallback",
    "RegionError",
    "ReliabilityCurve",
    "SamplingWay",
    "SegmentReport",
    "Terminology",
    "UncertainRegion",
    "Uncertainty",
    "UncertaintyError",
    "UncertaintyMap",
    "UncertaintyRequest",
    "Volume",
    "VolumeError",
    "__version__",
    "check_frames_output",
    "check_output",
    "contours",
    "correct_bias_field",
    "describe_model",
    "estimate_uncertainty",
    "explain",
    "explain_cohort",
    "explanation_layers",
    "explanation_methods",
    "find_model",
    "forecast",
    "forecast_uncertainty",
    "import_monai",
    "import_nnunet",
    "is_stale",
    "list_devices",
    "list_models",
    "load_model",
    "prepare_inputs",
    "preview",
    "read_inputs",
    "read_result",
    "read_sequence",
    "read_spec",
    "read_volume",
    "reliability",
    "remove_folder",
    "resource",
    "reverse_axes",
    "segment",
    "segment_id",
    "set_aside",
    "spacing_text",
    "stack_volumes",
    "terminology_entry",
    "uncertain_regions",
    "unusual",
    "usual_explanation_layer",
    "write_job",
    "write_label_frames",
    "write_label_map",
    "write_volume",
]
