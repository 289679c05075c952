"""`gander cluster`: the engine on Ray Serve, one replica a GPU, behind one address. Ray comes with the extra `cluster`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from engine.cluster.options import ClusterOptions
from engine.commands.pull import ready_folder
from engine.errors import StartError
from engine.logging import configure
from engine.server.lifecycle import Bind, read_key

APPLICATION = "gander"
LOOK_SECONDS = 0.5


def cluster(
    model: Annotated[str, typer.Option(help="A ready model's name or folder, the same on every node.")] = "pocket",
    host: Annotated[str, typer.Option(help="Address to listen on. Beyond this machine only with a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    key_file: Annotated[Path | None, typer.Option(help="File with the key that clients must send (or set GANDER_ENGINE_KEY).")] = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster's address, or auto. Default: a Ray of its own on this machine.")
    ] = None,
    replicas: Annotated[int, typer.Option(help="Engines that run at least.", min=1)] = 1,
    most_replicas: Annotated[int, typer.Option(help="Engines that run at most, as questions wait. Default: as many as at least.")] = 0,
    gpus: Annotated[float, typer.Option(help="GPUs of each engine; 0: it computes on the CPU.", min=0)] = 1.0,
    cpus: Annotated[float, typer.Option(help="CPUs of each engine, as Ray counts them.", min=0.01)] = 1.0,
    rows: Annotated[int | None, typer.Option(help="Answers at once of each engine. Default: 64 on a GPU, 10 on a CPU.", min=1)] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens that each engine keeps.", min=16)] = None,
    memory: Annotated[float | None, typer.Option(help="Gigabytes of a GPU that each engine takes at most.", min=1)] = None,
    quantize: Annotated[
        Literal["auto", "none", "int8", "4bit"], typer.Option(help="Hold the language model's matrices in fewer bits.")
    ] = "auto",
    dtype: Annotated[Literal["auto", "float32"], typer.Option(help="What is computed in; float32 on CPUs.")] = "auto",
    detail: Annotated[Literal["auto", "low", "normal", "high"], typer.Option(help="How closely pictures are looked at.")] = "auto",
) -> None:
    """Serve a model from many GPUs: the same API as `gander engine`, on Ray Serve."""
    if find_spec("ray") is None:
        raise StartError("Ray is not installed here: pip install '.[engine,cluster]' in Gander's folder.")
    configure(as_json=False)
    Bind(host, port, read_key(key_file)).check()
    ready_folder(model)
    try:
        options = ClusterOptions(
            model=model,
            replicas=replicas,
            most_replicas=most_replicas,
            gpus=gpus,
            cpus=cpus,
            rows=rows,
            tokens=tokens,
            memory=memory,
            quantize=quantize,
            dtype=dtype,
            detail=detail,
            key_file=str(key_file.resolve()) if key_file else None,
        )
    except ValidationError as error:
        raise StartError(error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")) from None
    serve_until_stopped(options, host, port, address)


def serve_until_stopped(options: ClusterOptions, host: str, port: int, address: str | None) -> None:
    """Until SIGTERM or SIGINT. Raises StartError where Ray can't be reached, or the replicas don't start."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS", "1")  # one that hangs can't end by itself, and holds its GPU
    import ray
    from ray import serve
    from ray.serve.config import HTTPOptions

    from engine.cluster.deployment import build

    stop = threading.Event()
    try:
        ray.init(address=address, include_dashboard=False if address is None else None, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise StartError(f"Ray can't be reached at {address or 'this machine'}: {error}") from None
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    try:
        serve.start(http_options=HTTPOptions(host=host, port=port))
        application = serve.RunTarget(build(options.model_dump()), name=APPLICATION)
        serve.run_many([application], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)
        if wait_until_running(stop, serve.status):
            typer.echo(f"The cluster listens on http://{host}:{port}/v1 (health: /health). Stop it with Ctrl-C.")
            stop.wait()
        serve.shutdown()
    finally:
        ray.shutdown()


def wait_until_running(stop: threading.Event, status: Callable[[], Any]) -> bool:
    """False: stopped before. Raises StartError with Serve's own words."""
    while not stop.wait(LOOK_SECONDS):
        application = status().applications.get(APPLICATION)
        if application is not None and application.status == "RUNNING":
            return True
        if application is not None and application.status == "DEPLOY_FAILED":
            raise StartError(f"The replicas do not start: {application.message.strip().rpartition(chr(10))[2] or 'see Ray logs.'}")
    return False
