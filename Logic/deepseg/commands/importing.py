"""`deepseg import`: models made elsewhere become DeepSeg models, once, by an explicit step."""

from __future__ import annotations

import argparse
from pathlib import Path

from deepseg import api


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("import", help="make a DeepSeg model of one made elsewhere")
    formats = parser.add_subparsers(required=True, metavar="FORMAT")

    monai = formats.add_parser("monai", help="a segmentation bundle of MONAI, for example one of the Model Zoo")
    monai.add_argument("source", metavar="BUNDLE", type=Path, help="the bundle's folder with its weights, or a zip file of it")
    _add_output(monai)
    monai.set_defaults(run=run_monai)

    nnunet = formats.add_parser("nnunet", help="a results folder of nnU-Net v2")
    nnunet.add_argument("folder", metavar="FOLDER", type=Path, help="holds plans.json, dataset.json and fold_0, fold_1, ...")
    _add_output(nnunet)
    nnunet.add_argument(
        "--folds", nargs="+", metavar="FOLD", help="which folds become members, for example 0 1 2 or all; otherwise all numbered ones"
    )
    nnunet.add_argument("--checkpoint", metavar="FILE", default="checkpoint_final.pth", help="file of each fold (default: %(default)s)")
    nnunet.set_defaults(run=run_nnunet)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="folder to write the model to; must not exist")
    parser.add_argument("--id", metavar="NAME", help="the model's id; made of its own name otherwise")


def run_monai(options: argparse.Namespace) -> None:
    _tell(api.import_monai(options.source, options.output, model_id=options.id))


def run_nnunet(options: argparse.Namespace) -> None:
    _tell(api.import_nnunet(options.folder, options.output, model_id=options.id, folds=options.folds, checkpoint=options.checkpoint))


def _tell(bundle: api.ModelBundle) -> None:
    spec = bundle.spec
    print(f"{spec.title}: {', '.join(label.name for label in spec.labels)}")
    print(f"Licence: {spec.licence}")
    for note in spec.provenance.get("differences", ()):
        print(f"Note: {note}")
    print(f"Written: {bundle.folder}")
