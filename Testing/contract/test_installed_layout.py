"""From the source tree and from an installed extension, modules and workers find the package, its resources and its models."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).resolve().parent / "slicer_stand_in"
SCRIPTED = Path("lib/Slicer-0.0/qt-scripted-modules")


@pytest.fixture(scope="session")
def cmake():
    found = shutil.which("cmake")
    if not found:
        pytest.skip("needs cmake to install the extension (Debian: apt install cmake; or pip install cmake ninja)")
    return found


@pytest.fixture(scope="session")
def trees(cmake, tmp_path_factory):
    """The extension built and installed by its own CMake files, outside the repository, with a stand-in for Slicer's macros."""
    folder = tmp_path_factory.mktemp("slicer")
    build, install = folder / "build", folder / "install"
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    for command in (
        [cmake, "-S", REPOSITORY, "-B", build, f"-DSlicer_DIR={STAND_IN}", f"-DCMAKE_INSTALL_PREFIX={install}", *generator],
        [cmake, "--build", build],
        [cmake, "--install", build, "--component", "RuntimeLibraries"],
    ):
        said = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert said.returncode == 0, said.stdout + said.stderr
    return build, install


@pytest.fixture(params=["build", "install"])
def a_tree(request, trees):
    """The folder qt-scripted-modules of the build tree or of the installed extension."""
    return trees[request.param == "install"] / SCRIPTED


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_everything_a_module_needs_is_built_and_installed(a_tree):
    expected = {f"deepseg/{name}" for name in files_below(REPOSITORY / "Logic/deepseg")}
    expected |= {f"DeepSegLib/{name}" for name in files_below(REPOSITORY / "DeepSegExtension/DeepSegLib")}
    for resource in ("Models", "SampleData", "schemas"):
        expected |= {f"deepseg/Resources/{resource}/{name}" for name in files_below(REPOSITORY / "Resources" / resource)}
    expected.add("deepseg/Resources/requirements.txt")
    for module in (REPOSITORY / "DeepSegExtension").glob("DeepSeg*/DeepSeg*.py"):
        expected |= {module.name} | {f"Resources/{name}" for name in files_below(module.parent / "Resources")}

    assert sorted(files_below(a_tree)) == sorted(expected)


def test_only_modules_lie_where_slicer_looks_for_modules(a_tree):
    modules = (REPOSITORY / "DeepSegExtension").glob("DeepSeg*/DeepSeg*.py")
    assert sorted(path.stem for path in a_tree.glob("*.py")) == sorted(path.stem for path in modules)


def test_each_module_runs_its_own_test_in_slicer(trees):
    said = subprocess.run(["ctest", "-N"], cwd=trees[0], capture_output=True, text=True, check=True).stdout
    for module in (REPOSITORY / "DeepSegExtension").glob("DeepSeg*/DeepSeg*.py"):
        assert f"py_{module.stem}\n" in said


def in_clean_python(code, paths, cwd, models=""):
    """Run code in a Python that knows nothing of this repository: an empty environment, `paths` as Slicer's path, no current folder."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR", "HOME") if name in os.environ}
    # An editable installation puts a folder with deepseg on every path of this Python; Slicer's Python has none but the modules' own.
    given = [str(path) for path in paths]
    forget = (
        f"import os, sys; sys.path[:] = [p for p in sys.path if p in {given!r} or not os.path.isfile(os.path.join(p, 'deepseg', '__init__.py'))]\n"
    )
    environment = {**kept, "PYTHONPATH": os.pathsep.join(str(path) for path in paths), "DEEPSEG_MODELS": models}
    said = subprocess.run([sys.executable, "-c", forget + code], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stderr
    return said.stdout.strip()


FIND = (
    "import DeepSegLib\n"
    "from DeepSegLib.search_path import logic_folder\n"
    "import deepseg, deepseg.api as api\n"
    "print(deepseg.__file__, api.resource('schemas'), api.resource('requirements.txt'), logic_folder(), sep='|')\n"
)


def test_a_module_finds_the_package_and_its_resources(a_tree, tmp_path):
    package, schemas, requirements, logic = map(Path, in_clean_python(FIND, [a_tree], tmp_path).split("|"))

    assert package == a_tree / "deepseg/__init__.py"
    assert schemas == a_tree / "deepseg/Resources/schemas"
    assert requirements == a_tree / "deepseg/Resources/requirements.txt"
    assert logic == a_tree


def test_a_module_finds_the_package_in_the_source_tree(tmp_path):
    package, schemas, _, logic = map(Path, in_clean_python(FIND, [REPOSITORY / "DeepSegExtension"], tmp_path).split("|"))

    assert package == REPOSITORY / "Logic/deepseg/__init__.py"
    assert schemas == REPOSITORY / "Resources/schemas"
    assert logic == REPOSITORY / "Logic"


def test_a_module_in_the_source_tree_finds_the_library_beside_it():
    """Slicer puts the module's own folder on its path, so the module adds the folder above."""
    source = (REPOSITORY / "DeepSegExtension/DeepSegSegmentation/DeepSegSegmentation.py").read_text()
    start, end = source.index("_extension_folder = "), source.index("class DeepSegSegmentation(")
    path = [str(REPOSITORY / "DeepSegExtension/DeepSegSegmentation")]

    class Sys:
        pass

    Sys.path = path
    exec(source[start:end], {"Path": Path, "sys": Sys, "__file__": str(REPOSITORY / "DeepSegExtension/DeepSegSegmentation/DeepSegSegmentation.py")})

    assert path[1:] == [str(REPOSITORY / "DeepSegExtension")]


RUN = (
    "import numpy as np, DeepSegLib\n"
    "from DeepSegLib.jobs import WorkerJob\n"
    "from deepseg.api import Geometry, Job, Volume, find_model\n"
    "array = np.random.default_rng(0).normal(100, 20, (1, 20, 24, 16)).astype(np.float32)\n"
    "labels = WorkerJob(Job(Volume(array, Geometry((20, 24, 16), np.eye(4))), find_model('tiny'))).wait().labels\n"
    "print(labels.array.shape, labels.attributes['DeepSeg.Model'])\n"
)


def test_a_worker_of_an_installed_extension_runs_a_model(a_tree, tiny_bundle, tmp_path):
    said = in_clean_python(RUN, [a_tree], tmp_path, models=str(tiny_bundle.folder.parent))

    assert said == "(20, 24, 16) tiny"


def test_a_worker_of_the_source_tree_runs_a_model(tiny_bundle, tmp_path):
    said = in_clean_python(RUN, [REPOSITORY / "DeepSegExtension"], tmp_path, models=str(tiny_bundle.folder.parent))

    assert said == "(20, 24, 16) tiny"


LIST = (
    "import DeepSegLib, pathlib\n"
    "from DeepSegLib.models import ModelStore\n"
    "from DeepSegLib.settings import Settings\n"
    "class NoSettings:\n"
    "    def value(self, key, default):\n"
    "        return default\n"
    "print(*[m.name for m in ModelStore(Settings(NoSettings()), pathlib.Path('nowhere')).models()])\n"
)


def test_shipped_models_are_found_in_an_installed_extension(a_tree, tmp_path):
    shipped = sorted(path.name for path in (REPOSITORY / "Resources/Models").iterdir() if (path / "configs/metadata.json").is_file())

    said = in_clean_python(LIST, [a_tree], tmp_path)

    assert said.split() == shipped
