"""The module `SampleData`: it takes registrations of sample data and keeps them where Slicer does; nothing is ever downloaded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import slicer

from panels.slicer_stand_in.session import NotInStandIn


class SampleDataLogic:
    """Its one method that modules call when Slicer has started."""

    @staticmethod
    def registerCustomSampleDataSource(  # noqa: N802
        category: str = "Custom",
        sampleName: str | None = None,  # noqa: N803
        uris: Any = None,
        fileNames: Any = None,  # noqa: N803
        nodeNames: Any = None,  # noqa: N803
        customDownloader: Any = None,  # noqa: N803
        thumbnailFileName: str | None = None,  # noqa: N803
        loadFileTypes: Any = None,  # noqa: N803
        loadFiles: Any = None,  # noqa: N803
        loadFileProperties: Any = None,  # noqa: N803
        checksums: Any = None,
        loadFileType: Any = None,  # noqa: N803
    ) -> None:
        source = SimpleNamespace(**locals())
        if loadFileType is not None:
            raise ValueError("loadFileType is deprecated: use loadFileTypes")
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)

    def __getattr__(self, name: str) -> Any:
        raise NotInStandIn(f"SampleDataLogic.{name}")
