"""`deepseg-train evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deepseg_train.errors import DatasetError

if TYPE_CHECKING:
    from deepseg_train.data import Case, Dataset
    from deepseg_train.evaluation.cases import Answers
    from deepseg_train.evaluation.findings import Findings


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = commands.add_parser("evaluate", help="compare a model's segments, or label files made elsewhere, with reference labels")
    parser.add_argument("model", nargs="?", help="name of an installed model, or a model's folder; with --predictions only its labels' names count")
    parser.add_argument("--predictions", type=Path, help="folder of label files to evaluate instead of running a model, named as the cases")
    parser.add_argument("--mirror", action="store_true", help="average the model's answers to mirrored images, as `deepseg segment --mirror`")
    parser.add_argument("--data", type=Path, required=True, help="dataset: a folder in MSD, nnU-Net or BIDS layout, or a CSV file")
    parser.add_argument("--patient", help="whose a case is: a column, or a regular expression with one group (default: as the layout tells)")
    parser.add_argument("--table", type=Path, help="CSV or TSV with columns to add, keyed by 'name' or 'participant_id'")
    parser.add_argument("--split", type=Path, help="split file; without it all cases are used")
    parser.add_argument("--parts", nargs="+", help="parts of the split (default: test)")
    parser.add_argument("--csv", type=Path, help="also write a line per case and label here")
    parser.add_argument("--by", nargs="+", default=[], metavar="COLUMN", help="compare groups, for example sex site age:40,60 (edges of bands)")
    parser.add_argument("--against", nargs="+", type=Path, default=[], metavar="ROWS.csv", help="compare with other models, of `evaluate --csv`")
    parser.add_argument("--report", type=Path, help="also write an HTML report here: plots, worst cases, everything above")
    parser.add_argument("--checklist", type=Path, help="also write a TRIPOD+AI checklist here (.md), filled in as far as it is known")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Evaluate, print the tables, and write what was asked for."""
    from deepseg_train.evaluation.calibration_table import NOTE, calibration_cells
    from deepseg_train.evaluation.comparison import comparison_table, paired_lines
    from deepseg_train.evaluation.rows import write_rows
    from deepseg_train.evaluation.subgroup_table import subgroup_table
    from deepseg_train.evaluation.tables import markdown, table

    _refuse_outputs(options)
    found = _findings(options)
    print(table(found.summary))
    print(f"\n{found.summary['cases']} cases; mean and {found.summary['interval']}.")
    if found.calibration:
        print(f"\n{markdown(*calibration_cells(found.calibration))}\n\n{NOTE}")
    for groups in found.subgroups:
        print(f"\n{subgroup_table(groups)}")
    if found.others:
        print(f"\n{comparison_table(found.name, paired_lines({found.name: found.rows, **found.others}))}")
    if options.csv:
        write_rows(found.rows, options.csv)
        print(f"Written: {options.csv}")
    if options.report:
        from deepseg_train.evaluation.report import write_report

        write_report(options.report, found)
        print(f"Written: {options.report}")
    if options.checklist:
        from deepseg_train.evaluation.checklist import write_checklist

        write_checklist(options.checklist, found)
        print(f"Written: {options.checklist}")


def _refuse_outputs(options: argparse.Namespace) -> None:
    """Before minutes are spent on it."""
    from deepseg import api

    for path, suffix in ((options.csv, ".csv"), (options.report, ".html"), (options.checklist, ".md")):
        if path is not None:
            api.check_output(path, (suffix,))
            if path.exists():
                raise api.OutputError(f"{path} exists already. Remove it or name another file.")


def _findings(options: argparse.Namespace) -> Findings:
    from deepseg import api
    from deepseg_train.commands.compare import named_rows
    from deepseg_train.data import open_dataset
    from deepseg_train.data.seen import Seen
    from deepseg_train.evaluation.alignment import aligned, refuse_lacking
    from deepseg_train.evaluation.calibration_table import calibration_of
    from deepseg_train.evaluation.cases import FolderAnswers, ModelAnswers, answered
    from deepseg_train.evaluation.comparison import USUAL_MEASURES
    from deepseg_train.evaluation.findings import Findings
    from deepseg_train.evaluation.grouping import groups_by
    from deepseg_train.evaluation.subgroups import subgroups
    from deepseg_train.evaluation.summary import summarise

    if not options.model and not options.predictions:
        raise DatasetError("Name a model, or a folder of label files with --predictions.")
    if options.mirror and options.predictions:
        raise DatasetError("--mirror is how a model is run, and --predictions evaluates label files without running one. Leave one of the two out.")
    bundle = api.load_model(options.model) if options.model else None
    dataset = open_dataset(options.data, options.patient, options.table)
    cases, part, sizes = _chosen(options, dataset)
    for remark in Seen.by(bundle.spec).remarks(bundle.spec.id, cases) if bundle and not options.predictions else ():
        print(f"Note: {remark}")
        part = f"{part}; {remark}"
    groups = [groups_by(cases, asked) for asked in options.by]
    others = named_rows(options.against) if options.against else {}
    if options.predictions:
        answers: Answers = FolderAnswers(options.predictions, bundle.spec.labels if bundle else _labels_of(dataset))
        answers.refuse_missing(cases)
        name, bundle = options.predictions.resolve().name, None
    else:
        answers, name = ModelAnswers(bundle, options.mirror), bundle.spec.id
    if name in others:
        raise DatasetError(f"A table of --against has the name of what is evaluated, {name}; rename the file.")
    # What cannot be compared is told before the cases are answered.
    others, notes = aligned(name, [case.name for case in cases], [label.name for label in answers.labels], others)
    refuse_lacking(others, USUAL_MEASURES)
    for note in notes:
        print(f"Note: {note}")
    rows, sums = answered(answers, cases)
    found = tuple(subgroups(rows, column, of) for column, of in groups)
    return Findings(name, dataset, part, cases, answers, rows, summarise(rows), bundle, found, others, sizes, calibration_of(sums))


def _chosen(options: argparse.Namespace, dataset: Dataset) -> tuple[list[Case], str, dict[str, int]]:
    """The cases to evaluate, what they are in words, and the sizes of the split's parts."""
    from deepseg_train.data.split import PARTS, load_split

    chosen = options.parts or ["test"]
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        raise DatasetError(f"There is no part {', '.join(unknown)}; the parts of a split are {', '.join(PARTS)}.")
    if options.parts and not options.split:
        raise DatasetError(f"--parts {' '.join(options.parts)} names parts of a split; name its file with --split, or leave --parts out.")
    if not options.split:
        print("Note: without --split all cases are used, also any that the model was trained on, on which it does better than on others.")
        return list(dataset.cases), "all cases", {}
    parts = load_split(options.split, dataset.cases)
    cases = [case for part in chosen for case in parts[part]]
    if not cases:
        raise DatasetError(f"There is no case to evaluate in {options.data}, parts {', '.join(chosen)}.")
    return cases, f"part {' and '.join(chosen)} of {options.split.name}", {part: len(held) for part, held in parts.items()}


def _labels_of(dataset: Dataset) -> tuple:
    """The labels that the dataset names, counted up from 1."""
    from deepseg import api
    from deepseg.importers.colors import distinct_color

    if not dataset.label_names:
        raise DatasetError(f"The dataset {dataset.folder} does not name its labels; name a model that does, beside --predictions.")
    return tuple(api.Label(n, name, distinct_color(n - 1)) for n, name in enumerate(dataset.label_names.values(), 1))
