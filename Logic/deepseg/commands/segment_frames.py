"""`deepseg segment` on sequences: frame by frame to one file of label maps."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from deepseg import api
from deepseg.commands.progress_bar import ProgressBar


def is_sequence(path: Path) -> bool:
    """Whether a file holds several frames; what cannot be read is for `read_volume` to refuse."""
    with suppress(api.DeepSegError):
        return path.is_file() and len(api.read_sequence(path)) > 1
    return False


def run_frames(options: argparse.Namespace, bundle: api.ModelBundle, roi: api.Box | None) -> None:
    """Segment each frame of the inputs, which all have the same number of frames; those on another grid than the first input's are resampled.

    Raises:
        DeepSegError: as `deepseg segment`; or the numbers of frames differ.
    """
    sequences = [api.read_sequence(path) for path in options.images]
    count = len(sequences[0])
    try:
        api.check_frames_output(options.output, bundle.spec.overlapping)
    except api.OutputError as error:
        raise api.OutputError(f"{options.images[0]} has four dimensions, a sequence of {count} frames. {error}") from error
    if any(len(sequence) != count for sequence in sequences):
        told = ", ".join(f"{sequence.path.name}: {len(sequence)}" for sequence in sequences)
        raise api.VolumeError(f"The inputs have different numbers of frames ({told}); expected the same. Choose sequences of one examination.")
    frames, notes, volumes = [], {}, []
    how = {"precision": options.precision, "mirror": options.mirror, "device": options.device}
    with ProgressBar() as bar:
        for n, inputs in enumerate(zip(*sequences, strict=True)):
            volume, said = api.prepare_inputs(inputs, bundle.spec, options.n4)

            def show(progress: api.Progress, n: int = n) -> None:
                bar.show(api.Progress((n + progress.fraction) / count, f"frame {n + 1} of {count}", None))

            prediction = api.segment(volume, bundle, roi, show, probabilities=False, **how)
            frames.append(prediction.labels)
            volumes.append(prediction.volumes_ml())
            # A note that every frame has is said once: frames differ in their number alone.
            notes |= dict.fromkeys(note.replace(f", frame {n + 1}'", "'") for note in (*said, *prediction.notes))
    times = sequences[0].times
    step = (times[-1] - times[0]) / (count - 1) if times[-1] > times[0] else 1.0
    api.write_label_frames(frames, options.output, times[0], step)
    for note in notes:
        print(f"Note: {note}")
    for line in _spread(volumes):
        print(line)
    print(f"Written: {options.output}, {count} frames")


def _spread(volumes: list[list[tuple[api.Label, float]]]) -> Iterator[str]:
    """Each segment's smallest and largest volume over the frames."""
    for n, (label, _) in enumerate(volumes[0]):
        values = [frame[n][1] for frame in volumes]
        yield f"{label.name}: {min(values):.2f} to {max(values):.2f} mL over the frames"
