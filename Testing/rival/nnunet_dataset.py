"""Cases of the Medical Segmentation Decathlon's layout as nnU-Net wants them: raw dataset, split, plan and preprocessed cases.

nnU-Net takes its folders from the environment when it is imported, so `set_environment` comes before anything else of it.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

NUMBER, NAME = 900, "Dataset900_Rival"
PLANS, CONFIGURATION = "nnUNetPlans", "3d_fullres"
PROCESSES = 2


def set_environment(work: Path) -> None:
    os.environ.update({f"nnUNet_{name}": str(work / name) for name in ("raw", "preprocessed", "results")})
    os.environ.update({"nnUNet_def_n_proc": str(PROCESSES)})


def write_raw(data: Path, split: Path, work: Path) -> dict[str, list[str]]:
    """Training and validation cases into imagesTr, test cases into imagesTs, under the names they have; returns the split's parts.

    Raises:
        SystemExit: a file of a case is missing.
    """
    parts = json.loads(split.read_text(encoding="utf-8"))["parts"]
    described = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    folder = work / "raw" / NAME
    shutil.rmtree(folder, ignore_errors=True)
    for target, source, cases, suffix in (
        ("imagesTr", "imagesTr", parts["train"] + parts["validation"], "_0000"),
        ("labelsTr", "labelsTr", parts["train"] + parts["validation"], ""),
        ("imagesTs", "imagesTr", parts["test"], "_0000"),
    ):
        (folder / target).mkdir(parents=True)
        for case in cases:
            file = data / source / f"{case}.nii.gz"
            if not file.is_file():
                raise SystemExit(f"There is no file {file}, which {split} names.")
            shutil.copyfile(file, folder / target / f"{case}{suffix}.nii.gz")
    content = {
        "channel_names": described["modality"],
        "labels": {name: int(value) for value, name in described["labels"].items()},
        "numTraining": len(parts["train"] + parts["validation"]),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    return parts


def plan_and_preprocess(parts: dict[str, list[str]], work: Path) -> None:
    """What `nnUNetv2_plan_and_preprocess` does; fold 0 is the split, folds 1 to 5 are nnU-Net's own cross-validation of the same cases."""
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api
    from nnunetv2.utilities.crossval_split import generate_crossval_split

    api.extract_fingerprint_dataset(NUMBER, num_processes=PROCESSES, check_dataset_integrity=True, verbose=False, show_progress_bar=False)
    api.plan_experiment_dataset(NUMBER)
    api.preprocess_dataset(NUMBER, PLANS, (CONFIGURATION,), [PROCESSES], show_progress_bar=False)
    cases = sorted(parts["train"] + parts["validation"])
    folds = [{"train": parts["train"], "val": parts["validation"]}, *generate_crossval_split(cases, seed=12345, n_splits=5)]
    (work / "preprocessed" / NAME / "splits_final.json").write_text(json.dumps(folds, indent=1), encoding="utf-8")


def prepared(data: Path, split: Path, work: Path) -> None:
    """All of this once; a folder that was prepared before stays as it is.

    Raises:
        SystemExit: it was prepared with another split, or of another dataset.
    """
    done = work / "preprocessed" / NAME / "splits_final.json"
    parts = json.loads(split.read_text(encoding="utf-8"))["parts"]
    if not done.is_file():
        plan_and_preprocess(write_raw(data, split, work), work)
        return
    known = json.loads(done.read_text(encoding="utf-8"))[0]
    if (known["train"], known["val"]) != (parts["train"], parts["validation"]):
        raise SystemExit(f"{work} was prepared with another split than {split}; name another folder with --work.")
    tested = {path.name.removesuffix("_0000.nii.gz") for path in (work / "raw" / NAME / "imagesTs").iterdir()}
    if tested != set(parts["test"]):
        raise SystemExit(f"{work} has other test cases than {split}; name another folder with --work.")


def plans(work: Path) -> dict:
    return json.loads((work / "preprocessed" / NAME / f"{PLANS}.json").read_text(encoding="utf-8"))


def dataset_json(work: Path) -> dict:
    return json.loads((work / "preprocessed" / NAME / "dataset.json").read_text(encoding="utf-8"))
