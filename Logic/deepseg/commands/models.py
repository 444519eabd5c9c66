"""`deepseg models` and `deepseg info`: what is installed, and what one model is."""

from __future__ import annotations

import argparse

from deepseg import api


def add(commands: argparse._SubParsersAction) -> None:
    models = commands.add_parser("models", help="list the installed models")
    models.set_defaults(run=list_models)

    info = commands.add_parser("info", help="tell about a model")
    info.add_argument("model", metavar="MODEL", help="name of an installed model, or a model's folder")
    info.set_defaults(run=describe)


def list_models(options: argparse.Namespace) -> None:
    for folder in api.list_models():
        try:
            spec = api.read_spec(folder)
            print(f"{folder.name}\t{spec.title}\t{', '.join(item.modality for item in spec.inputs)}\t{folder}")
        except api.DeepSegError as error:
            print(f"{folder.name}\tcannot be used: {error}")


def describe(options: argparse.Namespace) -> None:
    bundle = api.load_model(options.model)
    spec = bundle.spec
    size = sum(path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()) / 1e6
    rows = [
        ("model", f"{spec.id} {spec.version} ({size:.1f} MB)"),
        ("title", spec.title),
        ("summary", spec.summary),
        ("inputs", "; ".join(f"{item.name} ({item.modality}, {item.unit})" for item in spec.inputs)),
        ("segments", "; ".join(f"{label.value} {label.name}" for label in spec.labels)),
        ("grid", f"{spec.orientation}, {api.spacing_text(spec.spacing_mm)}, window {' x '.join(map(str, spec.window.size))}"),
        ("network", spec.network.name),
        ("accuracy", _accuracy(spec)),
        ("calibrated", "yes; see docs/README.md in its folder" if spec.calibration_sha256 else "no"),
        ("intended use", spec.intended_use),
        ("licence", spec.licence),
        ("citation", spec.citation),
        ("sha256", bundle.sha256),
    ]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")


def _accuracy(spec: api.ModelSpec) -> str:
    scores = spec.metrics.get("labels", {})
    told = [f"{name}: Dice {s['dice']['mean']:.3f} (95 % {s['dice']['low']:.3f}-{s['dice']['high']:.3f})" for name, s in scores.items()]
    return f"{'; '.join(told)}; {spec.metrics['cases']} held-out cases" if told else "not measured"
