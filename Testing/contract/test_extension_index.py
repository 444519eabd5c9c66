"""The checks of Slicer's Extensions Index that need no network, and what its reviewers ask for."""

import ast
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXTENSION = REPOSITORY / "DeepSegExtension"
CMAKE = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
MODULES = sorted(EXTENSION.glob("DeepSeg*/DeepSeg*.py"))
# From the index's schema, version 1.0.1 (slicer-extension-catalog-entry-schema).
REQUIRED_KEYS = {"$schema", "category", "scm_url"}
ALLOWED_KEYS = REQUIRED_KEYS | {"scm_revision", "scm_type", "build_dependencies", "build_subdirectory", "enabled", "tier"}


@pytest.fixture(scope="module")
def description():
    return json.loads((REPOSITORY / "DeepSeg.json").read_text(encoding="utf-8"))


def variable(name):
    """A literal quoted value, found as the index's own script finds it."""
    found = re.findall(rf'set\s*\({name}\s*"([^"]+)"[ ]*\)', CMAKE, re.IGNORECASE | re.MULTILINE)
    assert len(found) == 1, f"{name} must be set once, to a literal in quotes"
    return found[0]


def test_the_first_project_is_the_extension_and_names_the_description_file():
    assert re.findall(r"project\s*\(\s*([^\s\)\n\r]+)", CMAKE, re.IGNORECASE)[0] == "DeepSeg"
    assert [path.name for path in REPOSITORY.glob("*.json")] == ["DeepSeg.json"]


def test_the_name_does_not_start_with_slicer_but_the_repository_does(description):
    assert not "DeepSeg".lower().startswith("slicer")
    assert re.fullmatch(r"https://github\.com/[\w-]+/Slicer[\w-]+(\.git)?", description["scm_url"])


def test_the_description_fits_the_index_schema(description):
    assert description.keys() >= REQUIRED_KEYS
    assert description.keys() <= ALLOWED_KEYS
    assert re.fullmatch(
        r"https://raw\.githubusercontent\.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1\.0\.\d\.json#",
        description["$schema"],
    )
    assert isinstance(description["build_dependencies"], list)
    assert description["tier"] in range(1, 6)


def test_the_description_has_unix_line_ends_only():
    assert b"\r" not in (REPOSITORY / "DeepSeg.json").read_bytes()


def test_the_category_is_segmentation_everywhere(description):
    assert description["category"] == variable("EXTENSION_CATEGORY") == "Segmentation"
    for module in MODULES:
        assert 'translate("qSlicerAbstractCoreModule", "Segmentation")' in module.read_text()


def test_torch_comes_through_slicers_extension_alone(description):
    assert description["build_dependencies"] == variable("EXTENSION_DEPENDS").split() == ["PyTorch"]
    requirements = (REPOSITORY / "Resources/requirements.txt").read_text().splitlines()
    names = [re.split(r"[<>=~! ]", line)[0] for line in requirements if line and not line.startswith("#")]
    assert set(names).isdisjoint({"torch", "torchvision", "numpy", "vtk", "SimpleITK"})
    assert all("==" not in line for line in requirements), "ranges: other extensions share these packages"


@pytest.mark.parametrize("name", ["EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"])
def test_picture_urls_are_literal_and_name_files_of_this_repository(name):
    for url in variable(name).split():
        assert url.endswith((".png", ".jpg", ".jpeg", ".gif"))
        here = re.fullmatch(r"https://raw\.githubusercontent\.com/deepseg/SlicerDeepSeg/main/(.+)", url)
        assert here, f"{url} is not in this repository"
        assert (REPOSITORY / here[1]).is_file()


def test_there_is_a_license():
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text()


def test_the_clone_with_its_history_is_far_below_the_limit():
    said = subprocess.run(["git", "count-objects", "-v"], cwd=REPOSITORY, capture_output=True, text=True)
    if said.returncode != 0:
        pytest.skip("needs the git repository to measure its history")
    kilobytes = {key: int(value) for key, value in (line.split(": ") for line in said.stdout.splitlines())}
    assert kilobytes["size-pack"] + kilobytes["size"] < 80_000


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_has_its_four_classes_icon_panel_and_build_file(module):
    classes = {node.name for node in ast.parse(module.read_text()).body if isinstance(node, ast.ClassDef)}
    name = module.stem
    assert {name, f"{name}Widget", f"{name}Logic", f"{name}Test"} <= classes
    assert (module.parent / f"Resources/Icons/{name}.png").read_bytes()[16:24] == (128).to_bytes(4, "big") * 2
    assert (module.parent / f"Resources/UI/{name}.ui").is_file()
    assert f"set(MODULE_NAME {name})" in (module.parent / "CMakeLists.txt").read_text()
    assert f"add_subdirectory({name})" in (EXTENSION / "CMakeLists.txt").read_text()


@pytest.mark.parametrize("path", sorted(EXTENSION.rglob("*.py")), ids=lambda path: path.stem)
def test_the_syntax_is_that_of_the_oldest_slicer(path):
    ast.parse(path.read_text(), feature_version=(3, 10))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_parameters_are_typed_without_strings(module):
    """parameterNodeWrapper reads the types at run time, so they must not be postponed."""
    assert "from __future__ import annotations" not in module.read_text()


PANELS = sorted(EXTENSION.glob("DeepSeg*/Resources/UI/*.ui"))
PANEL_CODE = "".join(path.read_text() for path in sorted((EXTENSION / "DeepSegLib/panels").glob("*.py")))
BOUND_BY_CODE = {"modelName", "device", "sampler", "shownMap", "label", "against", "method", "layer"}
"""Parameters of combo boxes whose entries come from a model, so that `panels.choices` binds them."""


@pytest.mark.parametrize("path", PANELS, ids=lambda path: path.stem)
class TestPanelFile:
    """The .ui file and the code that uses it name the same things."""

    def panel(self, path):
        return ElementTree.parse(path).getroot()

    def test_each_control_has_an_effect(self, path):
        """Each is bound to a parameter or named in the panels' code."""
        for widget in self.panel(path).iter("widget"):
            name, kind = widget.get("name"), widget.get("class")
            bound = any(item.get("name") == "SlicerParameterName" for item in widget.findall("property"))
            if kind not in ("QLabel", "QWidget", "qMRMLWidget", "ctkCollapsibleButton"):
                assert bound or re.search(rf"\b{name}\b", PANEL_CODE), f"{path.name}: {name}"

    def test_each_control_says_what_it_does(self, path):
        """A tool tip, with units where there are figures; Apply's says what is missing, so the code sets it."""
        for widget in self.panel(path).iter("widget"):
            if widget.get("class") not in ("QLabel", "QWidget", "qMRMLWidget", "ctkCollapsibleButton", "QProgressBar"):
                tips = [item.find("string").text for item in widget.findall("property") if item.get("name") == "toolTip"]
                assert widget.get("name") == "applyButton" or (tips and tips[0]), f"{path.name}: {widget.get('name')}"

    def test_each_bound_parameter_exists(self, path):
        bound = {p.find("string").text for p in self.panel(path).iter("property") if p.get("name") == "SlicerParameterName"}
        tree = ast.parse((EXTENSION / path.stem / f"{path.stem}.py").read_text())
        fields = {
            statement.target.id
            for node in tree.body
            if isinstance(node, ast.ClassDef) and node.name.endswith("ParameterNode")
            for statement in node.body
            if isinstance(statement, ast.AnnAssign)
        }
        assert bound == fields - BOUND_BY_CODE

    def test_each_widget_of_slicer_is_declared_and_gets_the_scene(self, path):
        declared = {item.find("class").text for item in self.panel(path).iter("customwidget")}
        connected = {item.find("receiver").text for item in self.panel(path).iter("connection")}
        for widget in self.panel(path).iter("widget"):
            if not widget.get("class").startswith("Q"):
                assert widget.get("class") in declared
            if widget.get("class") == "qMRMLNodeComboBox":
                assert widget.get("name") in connected

    def test_it_says_what_it_is_for(self, path):
        assert "For research, not for clinical use." in {text.text for text in self.panel(path).iter("string")}
