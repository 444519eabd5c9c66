"""What a worker does for each kind of request."""

from __future__ import annotations

from deepseg import api


def run_job(job: api.Job, bundle: api.ModelBundle, progress: api.ProgressCallback | None = None) -> api.JobResult:
    """Do what a job asks for, with its model opened.

    Args:
        job: what is asked.
        bundle: the model in the job's folder.
        progress: called with a `Progress` several times; raising `Cancelled` in it stops the run.

    Raises:
        DeepSegError: as `deepseg.api.segment`, `estimate_uncertainty`, `explain` or `preview`.
    """
    where, how = (job.volume, bundle), {"roi": job.roi, "device": job.device}
    match job.request:
        case None:
            prediction = api.segment(*where, progress=progress, probabilities=False, **how)
            return api.JobResult(prediction.labels, prediction.notes, seconds=prediction.seconds)
        case api.UncertaintyRequest() as asked:
            found = api.estimate_uncertainty(*where, progress=progress, **vars(asked), **how)
            labels, notes, seconds = found.prediction.labels, found.prediction.notes, found.prediction.seconds
            return api.JobResult(labels, notes, found, tuple(api.uncertain_regions(found)), seconds=seconds)
        case api.ExplanationRequest() as asked:
            explained = api.explain(*where, progress=progress, **vars(asked), **how)
            return api.JobResult(notes=explained.notes, explanation=explained, seconds=explained.seconds)
        case asked:  # a preview
            if progress:
                progress(api.Progress(0.0, "looking at the image", None))
            return api.JobResult(preview=api.preview(*where, **vars(asked), **how))
