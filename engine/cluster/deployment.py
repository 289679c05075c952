"""The cluster on Ray Serve: a deployment of entrances and one of engines, and how a request finds the replica that knows its picture.

The one module of the engine's that imports Ray (the extra `cluster`). `build` is what deploy/ray/serve.yaml and `gander cluster` run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy, RequestRouterConfig
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle
from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from engine.api import ChatRequest, Health
from engine.cluster.affinity import preference
from engine.cluster.demand import replicas_wanted
from engine.cluster.entrance import Entrance
from engine.cluster.options import ClusterOptions
from engine.cluster.replica import replica
from engine.cluster.resume import Batch, ReplicaLost
from engine.errors import NotReadyError, OverloadedError
from engine.logging import configure
from engine.models.card_reader import read_card
from engine.paths import model_folder
from engine.server.lifecycle import read_key

LOOK_SECONDS = 5.0  # for all replicas to say how they are
FORGET_SECONDS = 30.0  # for all replicas to forget
HEALTH_PERIOD_SECONDS, HEALTH_TIMEOUT_SECONDS = 5.0, 15.0
PARTING_SECONDS = 120.0  # that a replica which is not needed any more may take for its answers
MOST_QUEUED = 1024  # requests that may wait at one entrance: the bot's own queue is the place to wait
ENTRANCE_REQUESTS = 4096
OVERFLOW = 2  # times its rows that a replica takes: answers of one that died wait in the engine, which shows life, and not in Ray

log = structlog.get_logger()


class AffinityRouter(RequestRouter):
    """Ray's router, with our order of preference: see `engine.cluster.affinity`. A full replica is passed over by Ray itself."""

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        if pending_request is None or not pending_request.metadata.session_id:
            return [candidate_replicas]
        pending_request.routing_context.should_backoff = True
        named = {each.replica_id.unique_id: each for each in candidate_replicas}
        loads = {name: self.replica_queue_len_cache.get(each.replica_id) or 0 for name, each in named.items()}
        return [[named[name]] for name in preference(pending_request.metadata.session_id, loads)]


def by_demand(context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
    """As many replicas as what runs here and what waits at the bots would fill."""
    told: Mapping[Any, float] = (context.aggregated_metrics or {}).get("waiting", {})
    rows = context.config.target_ongoing_requests
    return replicas_wanted(context.total_num_requests, max(told.values(), default=0.0), rows), {}


class EngineReplica:
    """One engine in an actor of its own. Ray asks `check_health`, and ends and replaces the actor where it fails."""

    async def __init__(self, options: Mapping[str, Any]) -> None:  # type: ignore[misc]
        self._replica = replica(ClusterOptions.model_validate(options))
        await self._replica.start()

    async def answer(self, request: ChatRequest) -> AsyncGenerator[Batch]:
        async for batch in self._replica.answer(request):
            yield batch

    async def look(self, bot: str, waiting: int) -> Health:
        return self._replica.look(bot, waiting)

    async def forget(self, pictures: Sequence[str]) -> None:
        await self._replica.forget(pictures)

    def check_health(self) -> None:
        self._replica.check()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        return {"waiting": float(self._replica.demand.waiting())}


class RayReplicas:
    """The replicas behind a handle of Ray's."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._last: Sequence[Health] = ()

    async def ask(self, request: ChatRequest, key: str) -> AsyncGenerator[Batch]:
        answer = self._handle.options(method_name="answer", stream=True, session_id=key).remote(request)
        try:
            async for batch in answer:
                yield batch
        except (RayActorError, RayTaskError, ReplicaUnavailableError) as error:
            raise ReplicaLost(type(error).__name__) from error
        except (BackPressureError, DeploymentUnavailableError) as error:
            raise OverloadedError("More requests wait for the replicas than the cluster holds.", retry_after=10) from error
        finally:
            answer.cancel()

    async def look(self, bot: str, waiting: int) -> Sequence[Health]:
        """A replica that does not say how it is, is not counted."""
        try:
            said = await self._handle.broadcast("look", bot, waiting).results_async(timeout_s=LOOK_SECONDS, return_exceptions=True)
        except (TimeoutError, RayActorError, DeploymentUnavailableError) as error:
            log.warning("replicas do not answer", reason=type(error).__name__)
            return self._last[:-1]  # one of them hangs: those that were ready before still are, until Ray has ended it
        self._last = [health for health in said if isinstance(health, Health)]
        return self._last

    async def forget(self, pictures: Sequence[str]) -> None:
        try:
            said = await self._handle.broadcast("forget", pictures).results_async(timeout_s=FORGET_SECONDS, return_exceptions=True)
        except (TimeoutError, RayActorError, DeploymentUnavailableError) as error:
            said = [error]
        if any(isinstance(each, BaseException) for each in said):
            raise NotReadyError("A replica does not say that it forgot; try again later.", retry_after=5)


class ClusterEntrance:
    """One entrance in an actor of its own. Ray asks it for its ASGI application."""

    def __init__(self, handle: DeploymentHandle[Any], options: Mapping[str, Any]) -> None:
        configure(as_json=True)
        chosen = ClusterOptions.model_validate(options)
        card = read_card(model_folder(chosen.model).resolve())
        key = read_key(Path(chosen.key_file) if chosen.key_file else None)
        self._entrance = Entrance(card.name, RayReplicas(handle), key)

    def __serve_build_asgi_app__(self) -> Any:
        return self._entrance.application()


def build(args: Mapping[str, Any]) -> serve.Application:
    """The application of Serve's, from ClusterOptions as a mapping."""
    chosen = ClusterOptions.model_validate(args)
    options = chosen.model_dump()
    engines = serve.deployment(
        EngineReplica,
        name="Engine",
        ray_actor_options={"num_gpus": chosen.gpus, "num_cpus": chosen.cpus},
        max_ongoing_requests=OVERFLOW * chosen.rows_each,
        max_queued_requests=MOST_QUEUED,
        health_check_period_s=HEALTH_PERIOD_SECONDS,
        health_check_timeout_s=HEALTH_TIMEOUT_SECONDS,
        graceful_shutdown_timeout_s=PARTING_SECONDS,
        request_router_config=RequestRouterConfig(request_router_class=AffinityRouter),
        autoscaling_config=AutoscalingConfig(
            min_replicas=chosen.replicas,
            max_replicas=chosen.most,
            target_ongoing_requests=chosen.rows_each,
            upscale_delay_s=chosen.grow_seconds,
            downscale_delay_s=chosen.shrink_seconds,
            policy=AutoscalingPolicy(policy_function=by_demand),
        ),
    )
    entrances = serve.deployment(
        serve.ingress()(ClusterEntrance),
        name="Entrance",
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=ENTRANCE_REQUESTS,
    )
    return entrances.bind(engines.bind(options), options)
