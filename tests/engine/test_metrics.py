"""What is reported is what Prometheus reads, of each engine by itself."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from engine.core.build import build_engine
from engine.errors import EngineError
from engine.metrics import Metrics
from engine.prompts.turn import Turn
from engine.request import Event, Request, TextDelta
from tests.engine.tiny import TinyModel


def read(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name, and its label's value where it has one."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {" ".join((sample.name, *sample.labels.values())): sample.value for family in families for sample in family.samples}


def test_everything_that_is_reported_is_shown() -> None:
    metrics = Metrics()
    metrics.submitted()
    metrics.queued(3)
    metrics.prefix(hit=32, total=128)
    metrics.prefix(hit=128, total=130)
    metrics.picture(hit=True)
    metrics.first_token(0.028)
    metrics.between_tokens(0.0045)
    metrics.tokens(2)
    metrics.batch(5)
    metrics.finished("length")
    metrics.finished("cancelled")
    found = read(metrics)
    assert (
        found
        | {
            "gander_requests_total": 1,
            "gander_queue_length": 3,
            "gander_prompt_tokens_total": 258,
            "gander_prompt_tokens_cached_total": 160,
            "gander_pictures_total hit": 1,
            "gander_pictures_total miss": 0,
            "gander_first_token_seconds_bucket 0.015": 0,
            "gander_first_token_seconds_bucket 0.03": 1,
            "gander_inter_token_seconds_sum": 0.0045,
            "gander_tokens_total": 2,
            "gander_rows": 5,
            "gander_batch_rows_sum": 5,
            "gander_requests_finished_total length": 1,
            "gander_requests_finished_total cancelled": 1,
        }
        == found
    )


def test_an_idle_engine_runs_no_rows_and_its_idling_is_no_step() -> None:
    metrics = Metrics()
    for rows in (2, 0):
        metrics.batch(rows)
    found = read(metrics)
    assert (found["gander_rows"], found["gander_batch_rows_count"]) == (0, 1)


def test_an_engine_at_rest_runs_no_row_also_when_an_end_came_unforeseen() -> None:
    metrics, model = Metrics(), TinyModel()
    engine = build_engine(model, rows=1, metrics=metrics)
    stop: tuple[str, ...] = ()
    for _ in range(2):
        events: list[Event | EngineError] = []
        request = Request((Turn("user", ("Hi",)),), model.card.generation, stop=stop)
        engine.add(request, events.append)
        while engine.step():
            pass
        stop = ("".join(event.text for event in events if isinstance(event, TextDelta))[4:6],)  # noticed when the next step has begun
        assert read(metrics)["gander_rows"] == 0
    assert read(metrics)["gander_requests_finished_total stop"] == 1


def test_after_a_restart_nothing_runs_and_nothing_waits_but_the_counters_go_on() -> None:
    metrics = Metrics()
    metrics.tokens(5)
    metrics.queued(3)
    metrics.batch(2)
    metrics.restarted()
    found = read(metrics)
    shown = {name: found[f"gander_{name}"] for name in ("worker_restarts_total", "queue_length", "rows", "tokens_total")}
    assert shown == {"worker_restarts_total": 1, "queue_length": 0, "rows": 0, "tokens_total": 5}


def test_two_engines_of_one_process_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.tokens(7)
    assert read(other)["gander_tokens_total"] == 0
