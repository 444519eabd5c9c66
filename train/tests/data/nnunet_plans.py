"""What the real nnU-Net plans for raw datasets. Run as a program, because nnU-Net takes its folders from the environment when it is imported:

    python nnunet_plans.py WORK

WORK/raw holds the datasets; WORK/preprocessed/<dataset>/dataset_fingerprint.json is made where it is not there yet; WORK/plans.json holds for each
dataset its fingerprint and its plan for volumes.
"""

import contextlib
import io
import json
import multiprocessing
import multiprocessing.pool
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import torch


def main() -> None:
    work = Path(sys.argv[1]).resolve()
    os.environ.update({f"nnUNet_{name}": str(work / name) for name in ("raw", "preprocessed", "results")})
    os.environ.update({"nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1"})
    # Threads in place of processes, each of which would import PyTorch again.
    multiprocessing.Pool = multiprocessing.pool.ThreadPool
    multiprocessing.get_context = lambda method=None: SimpleNamespace(Pool=multiprocessing.pool.ThreadPool)
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

    class Planner(ExperimentPlanner):
        """nnU-Net's own planner; its networks are counted without memory for them, and no coarse one is looked for."""

        @staticmethod
        def static_estimate_VRAM_usage(*args) -> int:  # noqa: N802
            with torch.device("meta"):
                return ExperimentPlanner.static_estimate_VRAM_usage(*args)

        def determine_reader_writer(self) -> type:
            return SimpleITKIO

    plans = {}
    for folder in sorted((work / "raw").iterdir()):
        extractor = DatasetFingerprintExtractor(folder.name, 1)
        extractor.show_progress_bar = False
        # Of 10^8 by default, which are drawn again and again from the same few voxels.
        extractor.num_foreground_voxels_for_intensitystats = 2e5
        extractor.run()
        planner = Planner(folder.name)
        planner.lowres_creation_threshold = 0
        with contextlib.redirect_stdout(io.StringIO()):
            plans[folder.name] = planner.plan_experiment() | {"fingerprint": planner.dataset_fingerprint}
    (work / "plans.json").write_text(json.dumps(plans))


if __name__ == "__main__":
    main()
