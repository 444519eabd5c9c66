"""Which revision of the code a run was made with."""

import shutil
import subprocess
from pathlib import Path

import pytest

import deepseg_train
from deepseg_train.training.revision import UNKNOWN, revision_of
from deepseg_train.training.versions import versions


def git(folder, *asked):
    as_somebody = ["-c", "user.name=Somebody", "-c", "user.email=nobody@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", "-C", str(folder), *as_somebody, *asked], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A package in a repository of its own; returns the package's folder."""
    package = tmp_path / "a checkout" / "train" / "deepseg_train"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("one = 1\n", encoding="utf-8")
    git(tmp_path / "a checkout", "init", "--quiet")
    git(tmp_path / "a checkout", "add", ".")
    git(tmp_path / "a checkout", "commit", "--quiet", "-m", "First")
    return package


@pytest.fixture
def installed(checkout, tmp_path) -> Path:
    """A copy of it, as `pip install` makes one, in an environment that lies in somebody else's checkout."""
    git(tmp_path, "init", "--quiet")
    return shutil.copytree(checkout, tmp_path / "site-packages" / "deepseg_train")


def from_folder(checkout):
    return {"url": checkout.parent.as_uri(), "dir_info": {}}


def test_the_revision_of_a_checkout_is_gits_own():
    package = Path(deepseg_train.__file__).parent
    try:
        git(package, "ls-files", "--error-unmatch", "__init__.py")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs a git checkout: {error}")
    changed = "-dirty" if git(package, "status", "--porcelain", "--untracked-files=no", ":/") else ""
    assert versions()["git"] == git(package, "rev-parse", "--short=12", "HEAD") + changed


def test_changed_files_are_told(checkout):
    clean = git(checkout, "rev-parse", "--short=12", "HEAD")
    assert revision_of(checkout) == clean
    (checkout / "__init__.py").write_text("one = 2\n", encoding="utf-8")
    assert revision_of(checkout) == f"{clean}-dirty"


def test_an_installed_copy_has_the_revision_of_the_checkout_it_was_made_from(checkout, installed):
    assert revision_of(installed, from_folder(checkout)) == git(checkout, "rev-parse", "--short=12", "HEAD")


def test_a_checkout_that_has_gone_on_since_is_not_told(checkout, installed):
    (checkout / "new.py").write_text("two = 2\n", encoding="utf-8")
    assert revision_of(installed, from_folder(checkout)) == UNKNOWN


def test_a_copy_installed_from_a_repository_has_its_commit(installed):
    told = {"url": "https://example.org/deepseg.git", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef0123456789abcdef01234567"}}
    assert revision_of(installed, told) == "0123456789ab"


@pytest.mark.parametrize("told", [None, {"url": "https://example.org/deepseg.whl"}, {"url": "file:///nowhere/train", "dir_info": {}}])
def test_a_copy_of_which_nothing_is_known_is_told_as_unknown(installed, told):
    assert revision_of(installed, told) == UNKNOWN
