"""What deploy/ promises, as far as it can be checked without a container engine or a running systemd."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot import metrics as bot_metrics
from bot.engines.engine import EngineState
from bot.store.tables import Finish
from engine import metrics as engine_metrics
from engine.cluster.metrics import EntranceMetrics

DEPLOY = Path(__file__).parent.parent / "deploy"
ANALYZE = shutil.which("systemd-analyze")
# Whoever has them: their licences are not for our own environment, or they come in no package of Python's.
HADOLINT, COMPOSE, PROMTOOL = shutil.which("hadolint"), shutil.which("docker-compose"), shutil.which("promtool")
NAMED = re.compile(r"\b(gander_\w+)(?:\{([^}]*)\})?")


def stages() -> dict[str, str]:
    """The Dockerfile's stages by name."""
    parts = re.split(r"^FROM \S+ AS (\w+)$", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_bots_image_has_no_engine_and_neither_runs_as_root() -> None:
    images = stages()
    assert "engine]" not in images["bot"]
    assert "[engine]" in images["engine"]
    for name in ("bot", "engine"):
        assert images[name].index("USER 10001") < images[name].index("ENTRYPOINT")


def test_compose_builds_stages_that_exist_and_gives_the_engine_a_gpu() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert {service["build"]["target"] for service in services.values()} <= stages().keys()
    (gpu,) = services["engine"]["deploy"]["resources"]["reservations"]["devices"]
    assert gpu["capabilities"] == ["gpu"]
    for service in services.values():
        assert set(service.get("secrets", ())) <= compose["secrets"].keys()
        assert service["cap_drop"] == ["ALL"]
    assert (services["fetch"]["networks"], services["fetch"]["profiles"]) == (["outside"], ["setup"])  # it alone needs a way out, once
    assert services["bot"]["ports"] == ["127.0.0.1:8484:8484"]


def test_everything_that_the_images_copy_exists() -> None:
    for line in re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE):
        for name in line.split():
            assert (DEPLOY.parent / name).exists(), name


def test_the_engine_can_compile_kernels_and_keep_them() -> None:
    """Without a compiler, or with a home that is read-only, plain torch would decode, several times slower."""
    assert " gcc libc6-dev " in stages()["engine"]
    assert "TRITON_HOME=/data\n" in stages()["engine"]
    assert "TRITON_HOME=/var/lib/gander\n" in (DEPLOY / "gander.service").read_text()


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "gander.service"
    unit.write_text((DEPLOY / "gander.service").read_text().replace("/opt/gander/.venv/bin/gander", "/bin/true"))
    checked = subprocess.run([str(ANALYZE), "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def exported() -> dict[str, set[str]]:
    """The samples that bot, engine and a cluster's entrance export, each with the names of its labels."""
    bot, engine, entrance = bot_metrics.Metrics(), engine_metrics.Metrics(), EntranceMetrics()
    bot.answer_ended("discord", Finish.STOP, 1.0)
    bot.engines([EngineState("http://127.0.0.1:8000", None, 0)])
    bot.platforms(["discord"], [])
    bot.unreadable({"telegram": 1})
    engine.finished("stop")
    pages = (figures.exposition().decode() for figures in (bot, engine, entrance))
    families = (family for page in pages for family in text_string_to_metric_families(page))
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads((DEPLOY / "grafana" / "gander.json").read_text())["panels"]:
        yield from ([panel] if panel["type"] != "row" else panel["panels"])


def alarms() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "gander.rules.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize("source", ["alarms", "dashboard"])
def test_what_is_watched_is_what_the_programs_export(source: str) -> None:
    found = exported()
    told = [rule["expr"] for rule in alarms()] if source == "alarms" else [each["expr"] for panel in panels() for each in panel["targets"]]
    assert len(told) >= 10
    for expression in told:
        assert NAMED.search(expression) or "up{" in expression, expression
        grouped = {label for labels in re.findall(r"by \(([^)]+)\)", expression) for label in labels.split(", ")} - {"le", "instance"}
        for name, matchers in NAMED.findall(expression):
            assert name in found, expression
            assert {*re.findall(r"(\w+)=", matchers), *grouped} <= found[name], expression


def test_jobs_are_scraped_under_the_names_that_alarms_use() -> None:
    jobs = {each["job_name"] for each in yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]}
    assert {job for rule in alarms() for job in re.findall(r'job="([^"]+)"', rule["expr"])} == jobs
    assert all({"summary", "remedy"} <= rule["annotations"].keys() for rule in alarms())


def checked(*command: str | Path | None, **options: Any) -> str:
    tried = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, **options)
    return "" if tried.returncode == 0 else tried.stdout + tried.stderr


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_accepts_the_image() -> None:
    assert checked(HADOLINT, DEPLOY / "Dockerfile") == ""


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")
def test_compose_accepts_its_file(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "compose.yaml", tmp_path)
    assert checked(COMPOSE, "-f", tmp_path / "compose.yaml", "--profile", "setup", "config", "--quiet") == ""


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_prometheus_accepts_its_files() -> None:
    assert checked(PROMTOOL, "check", "rules", DEPLOY / "prometheus" / "gander.rules.yml") == ""
    assert checked(PROMTOOL, "check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml") == ""
