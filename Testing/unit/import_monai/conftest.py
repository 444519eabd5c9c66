"""A bundle in a test's own folder."""

import pytest

from monai_bundles import write_bundle


@pytest.fixture
def written(tmp_path):
    """Writes a bundle with changes to its config and metadata."""
    return lambda name="bundle", **changes: write_bundle(tmp_path / name, **changes)
