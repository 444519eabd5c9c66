"""A model file brings numbers and text. Whatever else is put into it is not run."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deepseg import api
from deepseg.bundle import sha256_of
from deepseg.errors import ModelError
from deepseg.golden import check_golden


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture
def a_copy(tiny_bundle, tmp_path) -> Path:
    return shutil.copytree(tiny_bundle.folder, tmp_path / "copy")


@pytest.fixture
def marker(tmp_path) -> Path:
    """A file that must not come into being."""
    return tmp_path / "code was run"


def change(folder: Path, edit) -> None:
    path = folder / "configs/metadata.json"
    metadata = json.loads(path.read_text())
    edit(metadata["deepseg"])
    path.write_text(json.dumps(metadata))


def use(folder: Path) -> None:
    """Everything that is done with a model: list, open, build, run."""
    api.read_spec(folder)
    bundle = api.load_model(folder)
    bundle.build_network()
    check_golden(bundle)


def test_a_trap_works_where_it_is_opened_carelessly(marker):
    pickle.loads(pickle.dumps(Trap(marker)))
    assert marker.exists()


def test_expressions_in_inference_json_are_not_evaluated(a_copy, marker):
    trap = f"$__import__('pathlib').Path({str(marker)!r}).touch()"
    config = dict.fromkeys(["imports", "network", "network_def", "run", "initialize", "preprocessing"], trap)
    (a_copy / "configs/inference.json").write_text(json.dumps(config | {"imports": [trap], "run": [trap]}))
    use(a_copy)
    assert not marker.exists()


def test_stock_monai_would_evaluate_them(marker):
    """So the trap above is a real one."""
    from monai.bundle import ConfigParser

    trap = f"$__import__('pathlib').Path({str(marker)!r}).touch()"
    ConfigParser({"run": trap}).get_parsed_content("run")
    assert marker.exists()


def test_expressions_in_the_spec_are_only_text(a_copy, marker):
    trap = f"$__import__('pathlib').Path({str(marker)!r}).touch()"

    def edit(section):
        section["title"] = section["summary"] = section["citation"] = trap
        section["provenance"] = {"_target_": "pathlib.Path.touch", "self": str(marker), "run": trap}

    change(a_copy, edit)
    use(a_copy)
    assert api.read_spec(a_copy).title == trap
    assert not marker.exists()


@pytest.mark.parametrize("where", ["models/model.safetensors", "models/golden.npz"])
def test_a_pickle_in_disguise_is_refused_and_not_opened(where, a_copy, marker):
    (a_copy / where).write_bytes(pickle.dumps(Trap(marker)))
    change(a_copy, lambda section: section["weights"].update({"model.safetensors": sha256_of(a_copy / "models/model.safetensors")}))
    with pytest.raises(ModelError):
        use(a_copy)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../x.safetensors", "/x.safetensors", "..\\x.safetensors", "sub/../../x.safetensors", ".x.safetensors"])
def test_weights_outside_the_models_folder_are_refused(name, a_copy):
    shutil.copy(a_copy / "models/model.safetensors", a_copy / "x.safetensors")
    digest = sha256_of(a_copy / "x.safetensors")
    change(a_copy, lambda section: section.update(weights={name: digest}))
    with pytest.raises(ModelError, match="its 'deepseg' section is not valid"):
        api.load_model(a_copy)


@pytest.mark.parametrize(
    "network", ["os.system", "subprocess.run", "monai.networks.nets.DynUNet", "torch.load", "builtins.eval", "__import__", "dynunet", "DynUNet "]
)
def test_a_network_that_is_not_registered_is_not_built(network, a_copy, marker):
    change(a_copy, lambda section: section.update(network={"name": network, "kwargs": {"command": f"touch '{marker}'", "args": f"touch '{marker}'"}}))
    with pytest.raises(ModelError, match=r"this DeepSeg builds .*DynUNet"):
        use(a_copy)
    assert not marker.exists()


def test_expressions_as_settings_of_the_network_are_not_evaluated(a_copy, marker):
    trap = f"$__import__('pathlib').Path({str(marker)!r}).touch()"
    for key in ("norm_name", "act_name", "dropout", "filters"):
        for value in (trap, [trap, {"_target_": trap}]):
            folder = a_copy.with_name(f"{key} {type(value).__name__}")
            shutil.copytree(a_copy, folder)
            change(folder, lambda section, key=key, value=value: section["network"]["kwargs"].update({key: value}))
            with pytest.raises(ModelError):
                use(folder)
    assert not marker.exists()


WATCHED_OPENING = """
import sys
from pathlib import Path
import monai, torch, fastjsonschema, safetensors.torch
from deepseg import api
import deepseg.networks, deepseg.prediction

folder, seen = Path(sys.argv[1]).resolve(), []

def watch(event, arguments):
    if event in ("os.system", "subprocess.Popen", "pickle.find_class", "os.exec", "socket.connect", "socket.getaddrinfo"):
        seen.append((event, str(arguments)))
    if event == "import" and arguments[1] and str(folder) in str(arguments[1]):
        seen.append((event, str(arguments[1])))
    if event == "open" and isinstance(arguments[0], str) and str(folder) in arguments[0]:
        print("opened", Path(arguments[0]).relative_to(folder).as_posix(), arguments[1])

api.load_model(folder).build_network()  # once unwatched: libraries load parts of themselves at the first use
sys.addaudithook(watch)
api.load_model(folder).build_network()
sys.exit(str(seen) if seen else 0)
"""


def test_opening_a_model_reads_its_metadata_and_weights_and_nothing_else(a_copy):
    """Seen by Python's own audit hook: no process, no unpickling, no connection, no import from the folder, no writing."""
    (a_copy / "models" / "__init__.py").write_text("raise SystemExit('imported')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", WATCHED_OPENING, str(a_copy)], capture_output=True, text=True, env=environment, cwd=a_copy, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr
    opened = {line.split()[1]: line.split()[2] for line in result.stdout.splitlines() if line.startswith("opened")}
    assert "configs/metadata.json" in opened
    assert set(opened) <= {"configs/metadata.json", "models/model.safetensors"}
    assert set(opened.values()) <= {"r", "rb", "None"}
