"""What deploy/ promises, as far as it can be checked without a container engine or a running systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parent.parent / "deploy"
ANALYZE = shutil.which("systemd-analyze")


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
