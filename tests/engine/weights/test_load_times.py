"""How long loading takes is remembered by folder; a lost record costs only the estimate."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from engine.weights.load_times import expected_seconds, remember


def test_the_last_time_counts(tmp_path: Path) -> None:
    record, folder = tmp_path / "engine" / "seconds.json", tmp_path / "pocket"
    remember(record, folder, 9.0)
    remember(record, tmp_path / "other", 1.0)
    remember(record, folder, 4.5)
    assert expected_seconds(record, folder) == 4.5


def test_the_first_time_is_guessed_from_the_size(tmp_path: Path) -> None:
    record = tmp_path / "seconds.json"
    guess = expected_seconds(record, tmp_path)
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2_000_000_000)
    assert expected_seconds(record, tmp_path) > guess + 5


def test_a_damaged_record_is_no_obstacle(tmp_path: Path) -> None:
    record = tmp_path / "seconds.json"
    record.write_text("{broken", encoding="utf-8")
    assert expected_seconds(record, tmp_path) > 0
    remember(record, tmp_path, 3.0)
    assert expected_seconds(record, tmp_path) == 3.0


def test_a_disk_that_takes_no_record_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    record = tmp_path / "file" / "seconds.json"
    with capture_logs() as lines:
        remember(record, tmp_path, 3.0)
    assert [line["log_level"] for line in lines] == ["warning"]
    assert expected_seconds(record, tmp_path) > 0
