"""What the README tells a user to type works as written."""

import re
import shlex
from pathlib import Path

import nilearn
import pytest

from deepseg import api, cli

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder_with_head(tmp_path_factory):
    """A folder with the MNI152 template where `make demo` leaves it, as the README's commands expect it."""
    folder = tmp_path_factory.mktemp("head")
    (folder / "demo-out").mkdir()
    data = Path(nilearn.__file__).parent / "datasets" / "data"
    template = next(data.glob("mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"))
    (folder / "demo-out" / "t1.nii.gz").write_bytes(template.read_bytes())
    return folder


@pytest.fixture
def in_that_folder(folder_with_head, monkeypatch):
    monkeypatch.chdir(folder_with_head)
    return folder_with_head


def test_the_python_example_writes_both_segments(in_that_folder):
    (example,) = blocks("python")
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert (in_that_folder / "right.seg.nrrd").is_file()
    assert all(milliliters > 1 for _, milliliters in names["prediction"].volumes_ml())


def test_the_commands_succeed(in_that_folder, capsys):
    commands = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines() if line.startswith("deepseg ")]
    assert [words[1] for words in commands] == ["segment", "models", "info"]
    for words in commands:
        assert cli.main(words[1:]) == 0, capsys.readouterr().err


def test_every_file_that_the_guides_link_to_exists():
    for guide in ("README.md", "CONTRIBUTING.md", "train/README.md"):
        text = (REPOSITORY / guide).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
            assert (REPOSITORY / guide).parent.joinpath(target).exists(), f"{guide} links to {target}"


def test_the_readmes_figures_are_those_of_the_shipped_model():
    """The README's table is over two parts of the split; the model's own figures, over one, must lie inside its intervals."""
    rows = re.findall(r"\| (\w+ hippocampus) \| ([\d.]+) \(([\d.]+) to ([\d.]+)\)", README)
    scores = api.load_model("hippocampus-mr").spec.metrics["labels"]
    assert [name for name, *_ in rows] == list(scores)
    for name, _, low, high in rows:
        assert float(low) <= scores[name]["dice"]["mean"] <= float(high)
