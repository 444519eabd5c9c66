"""Who may import whom: modules -> DeepSegLib -> deepseg.api -> ..., and nothing back. Read from the imports, nothing is run."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LOGIC = REPOSITORY / "Logic/deepseg"
EXTENSION = REPOSITORY / "DeepSegExtension"
SLICER = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "trame_slicer", "MRMLCorePython"}
HEAVY = {"torch", "monai", "SimpleITK", "numpy", "scipy", "skimage", "matplotlib", "safetensors", "deepseg", "DeepSegLib"}


def imports_of(path, at_file_scope_only=False, needed_only=False):
    """Names of the modules a file imports, as written; those under TYPE_CHECKING count only where types do.

    `needed_only` leaves out, at file scope, what the file does without where it is not there.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for statement in tree.body for node in reachable(statement, needed_only)] if at_file_scope_only else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrow"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reachable(statement, needed_only=False):
    """What runs when the file is imported: everything but the bodies of functions and what is there for types alone."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    if isinstance(statement, ast.If) and isinstance(statement.test, ast.Name) and statement.test.id == "TYPE_CHECKING":
        return
    yield statement
    spared = statement.body if needed_only and isinstance(statement, ast.Try) and any(map(catches_absence, statement.handlers)) else []
    for child in ast.iter_child_nodes(statement):
        if child not in spared:
            yield from reachable(child, needed_only)


def catches_absence(handler):
    return isinstance(handler.type, ast.Name) and handler.type.id in ("ModuleNotFoundError", "ImportError")


def top(names):
    return {name.split(".")[0] for name in names}


def python_files(folder):
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path):
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("path", python_files(LOGIC), ids=name_of)
def test_the_logic_knows_neither_slicer_nor_the_extension_nor_the_training(path):
    assert not top(imports_of(path)) & (SLICER | {"DeepSegLib", "deepseg_train"})


@pytest.mark.parametrize("path", python_files(EXTENSION), ids=name_of)
def test_the_extension_enters_the_logic_by_its_one_door(path):
    entered = {name for name in imports_of(path) if name.split(".")[0] == "deepseg"}

    assert all(name == "deepseg.api" or name.startswith("deepseg.api.") for name in entered), entered
    assert "deepseg_train" not in top(imports_of(path))


@pytest.mark.parametrize("path", python_files(EXTENSION / "DeepSegLib"), ids=name_of)
def test_the_shared_library_knows_no_module(path):
    modules = {file.stem for file in EXTENSION.glob("DeepSeg*/DeepSeg*.py")}

    assert not top(imports_of(path)) & modules


@pytest.mark.parametrize("path", sorted(EXTENSION.glob("DeepSeg*/DeepSeg*.py")), ids=name_of)
def test_a_module_loads_on_a_slicer_that_has_none_of_our_packages(path):
    """And does not install anything either."""
    loaded = imports_of(path, at_file_scope_only=True)

    assert not top(loaded) & HEAVY
    assert "pip_install" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", python_files(EXTENSION / "DeepSegLib"), ids=name_of)
def test_the_shared_library_loads_without_slicer_and_without_torch(path):
    assert not top(imports_of(path, at_file_scope_only=True, needed_only=True)) & (SLICER | {"torch", "monai", "safetensors", "scipy"})


def test_only_nodes_turns_nodes_into_volumes():
    for path in python_files(EXTENSION):
        if path.name != "nodes.py":
            assert "GetIJKToRASMatrix" not in path.read_text(), f"{path}: nodes.py is the only place that converts"
            assert "GetImageData" not in path.read_text(), f"{path}: nodes.py is the only place that converts"


def test_only_geometry_knows_the_orders_of_axes():
    for path in python_files(LOGIC):
        if path.name != "geometry.py":
            assert "-1.0, -1.0, 1.0" not in path.read_text(), f"{path}: RAS and LPS are converted in geometry.py"


def graph(at_file_scope_only):
    """deepseg's modules and which of the others each imports."""
    modules = {}
    for path in python_files(LOGIC):
        parts = path.relative_to(LOGIC.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: {other for other in imports_of(path, at_file_scope_only) if other in modules and other != name} for name, path in modules.items()}


def test_the_logic_has_no_cycles_when_it_loads():
    edges = graph(at_file_scope_only=True)
    done, path = set(), []

    def visit(name):
        assert name not in path, f"cycle: {' -> '.join([*path[path.index(name) :], name])}"
        if name not in done:
            path.append(name)
            for other in sorted(edges[name] - {"deepseg"}):
                visit(other)
            path.pop()
            done.add(name)

    for name in edges:
        visit(name)


SAMPLERS = ("single_pass", "deep_supervision", "learned_variance", "test_time_augmentation", "monte_carlo_dropout", "deep_ensemble")
EXPLANATION_METHODS = (
    "attention_rollout",
    "method",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient_times_input",
    "hires_cam",
    "integrated_gradients",
    "occlusion",
)
EXPLANATION_METHODS += ("relevance_propagation", "smooth_grad")
LAYERS = (
    {"errors", "itk_messages", "progress", "strict_json"},
    {"box", "geometry", "volume", "results", "dicom", "dicom_sequence", "suv", "nifti", "io", "outputs", "segmentation_file", "locations", "metrics"}
    | {"stacking", "bias_field", "sequences", "flags", "staleness"},
    {
        f"networks.{name}"
        for name in ("dints", "dynunet", "heteroscedastic_dynunet", "monai_networks", "plain_conv_unet", "residual_encoder_unet", "unet_parts")
    }
    | {
        f"networks.{name}"
        for name in ("basic_unet_plus_plus", "channel_dropout_dynunet", "heads", "known", "presets", "separable_unet", "slice_by_slice", "window_fit")
    }
    | {"networks.settings"},
    {
        "spec",
        "bundle",
        "compact_weights",
        "inputs",
        "preprocessing",
        "normalisation",
        "resampling",
        "networks",
        "fast_network",
        "heap",
        "free_memory",
        "windows",
    }
    | {"model_card"},
    {
        "window_network",
        "frontier",
        "blending",
        "inference",
        "restoring",
        "devices",
        "cost",
        "feature_maps",
        "attempts",
        "components",
        "region",
        "prediction",
    }
    | {"provenance", "golden", "bundle_writer", "stock_monai"}
    | {f"job_{name}" for name in ("explanation", "folder", "requests", "result", "uncertainty")},
    {
        "uncertainty",
        *(f"uncertainty.{name}" for name in ("assembly", "calibration", "conformal", "contours", "deep_features", "error_detection", "estimate")),
    }
    | {f"uncertainty.{name}" for name in ("facts", "logit_noise", "measures", "ood", "quality", "recalibration", "regions", "reliability")}
    | {f"uncertainty.{name}" for name in ("sampled_network", "samplers", "segment_reports", "views")}
    | {f"uncertainty.samplers.{name}" for name in ("passes", *SAMPLERS)},
    {
        "explanation",
        *(
            f"explanation.{name}"
            for name in (
                "cohort",
                "receptive_field",
                "shares",
                "asked_windows",
                "attention",
                "blurring",
                "layers",
                "listed",
                "fitting",
                "passes",
                "question",
                "relevance_rules",
                "checks",
                "explain",
                "targets",
            )
        ),
    }
    | {
        *(f"explanation.checks.{name}" for name in ("agreement", "curves", "report")),
        "explanation.methods",
        *(f"explanation.methods.{name}" for name in EXPLANATION_METHODS),
    },
    {"importers", "importers.colors", "importers.restricted_reader"}
    | {*(f"importers.nnunet{part}" for part in ("", "_architecture", "_card", "_checkpoint", "_labels", "_plans"))},
    {"importers.monai_limits", "importers.monai_config", "importers.monai_expressions", "importers.monai_archive", "importers.monai_weights"},
    {f"importers.monai_{part}" for part in ("arguments", "bundle", "card", "intensities", "metadata", "network", "output", "transforms")},
    {"api.arguments"},
    {f"api.{name}" for name in ("explanation", "models", "previews", "segmentation", "uncertainty")},
    {"api"},
    {"cli", "job_runs", "worker", "worker_channel", "demo", "report", "report_doubt", "report_explanation", "pictures", "surface"}
    | {
        "commands",
        *(
            f"commands.{name}"
            for name in (
                "batch",
                "devices",
                "explain",
                "explain_cohort",
                "importing",
                "models",
                "progress_bar",
                "results",
                "segment",
                "segment_frames",
                "segment_uncertainty",
                "uncertainty_tables",
            )
        ),
    }
    | {"cohort", *(f"cohort.{name}" for name in ("cases", "index", "pool", "record", "run_case", "table", "thumbnail"))},
)


def test_arrows_between_the_layers_point_down():
    """api -> {inference, prediction} -> {bundle, preprocessing, networks} -> {results, volume, geometry} -> errors."""
    level = {f"deepseg.{name}": n for n, layer in enumerate(LAYERS) for name in layer}
    unplaced = set(graph(True)) - set(level) - {"deepseg"}
    assert not unplaced, f"name the layer of {sorted(unplaced)} in LAYERS"
    edges = graph(at_file_scope_only=True)
    for name in edges.keys() - {"deepseg"}:
        for other in edges[name] - {"deepseg"}:
            assert level[name] >= level[other], f"{name} must not import {other}"


def test_the_training_enters_nothing_but_the_logic():
    for path in python_files(REPOSITORY / "train/deepseg_train"):
        assert not top(imports_of(path)) & (SLICER | {"DeepSegLib"}), path
