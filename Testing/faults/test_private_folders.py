"""Folders of runs and workers, with others that clean up at the same time."""

import threading

from DeepSegLib import private_folders


def test_a_folder_that_is_being_made_is_not_swept_away(tmp_path):
    """Others sweep all the time; what was made is there and stays."""
    over = threading.Event()

    def sweep():
        while not over.is_set():
            private_folders.sweep([tmp_path])

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        for _ in range(200):
            folder = private_folders.PrivateFolder(tmp_path)
            (folder.path / "something").touch()
            folder.remove()
    finally:
        over.set()
        for sweeper in sweepers:
            sweeper.join()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_others_are_never_swept_away(tmp_path, monkeypatch):
    monkeypatch.setattr(private_folders, "_NEWBORN_S", -1.0)
    results = tmp_path / "deepseg-results"
    alike = tmp_path / "deepseg-run-of-monday"
    for folder in (results, alike):
        folder.mkdir()
        (folder / "case.seg.nrrd").write_text("a day's work")
    left = tmp_path / "deepseg-run-abcdef"
    left.mkdir()

    private_folders.sweep([tmp_path])

    assert sorted(tmp_path.iterdir()) == [results, alike]
    assert all((folder / "case.seg.nrrd").exists() for folder in (results, alike))
