"""DeepSeg's sample image in Slicer's module Sample Data. It is installed with DeepSeg, so nothing is downloaded."""

from __future__ import annotations

from deepseg.api import resource

NAME = "MNI152 left hippocampus (T1)"
FILE = "mni152-left-hippocampus.nii.gz"
SHA256 = "9ffba219ef438d7bd712b2eadb45bb60ee35cef1d16c02d04a86ba475b01c1bb"


def register() -> None:
    """Offer the sample; does nothing where Slicer has no Sample Data or the sample was offered before."""
    import slicer

    if not hasattr(slicer.modules, "sampledata"):
        return
    from SampleData import SampleDataLogic

    known = getattr(slicer.modules, "sampleDataSources", {}).get("DeepSeg", [])
    if any(source.sampleName == NAME for source in known):
        return
    path = resource(f"SampleData/{FILE}")
    SampleDataLogic.registerCustomSampleDataSource(
        category="DeepSeg",
        sampleName=NAME,
        uris=path.as_uri(),
        fileNames=FILE,
        nodeNames="MNI152 left hippocampus",
        thumbnailFileName=str(resource("SampleData/mni152-left-hippocampus.png")),
        checksums=f"SHA256:{SHA256}",
    )
