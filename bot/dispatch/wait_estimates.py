"""How long each job of the queue will wait, from the measured speed of the engines and the platforms' limits."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

from bot.queue_status import QueuePosition
from bot.store.jobs import WaitingJob

RATE_SECONDS = 3.0
ENDS = 50  # of the last jobs
UNKNOWN_SECONDS, LEAST_SECONDS, MOST_SECONDS = 60, 5, 3600  # that people are asked to wait
WEIGHT = 0.2  # of the newest answer in the averages: after three answers half of what was known before is forgotten


class Speed:
    """The measured speed of one row of an engine: moving averages over finished answers."""

    def __init__(self) -> None:
        self._cost: float | None = None  # expected tokens a second: answers often end before they use what they may
        self._tokens: float | None = None  # tokens a second that came

    def record(self, job: WaitingJob, tokens: int, seconds: float) -> None:
        """Learn from an answer of so many tokens (of one beam) that took so many seconds."""
        if seconds > 0:
            self._cost = _moved(self._cost, job.cost / job.rows / seconds)
            self._tokens = _moved(self._tokens, tokens / seconds)

    def tokens_per_second(self, rows: int) -> float | None:
        return None if self._tokens is None else self._tokens * max(rows, 1)

    def seconds(self, cost: float, rows: int) -> float | None:
        """How long `cost` expected tokens take on so many rows; None: nothing measured yet."""
        return cost / (self._cost * max(rows, 1)) if self._cost else None


class Throughput:
    """How many jobs end in a while, whatever they cost: how soon a full queue has room."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: deque[float] = deque(maxlen=ENDS)

    def count(self) -> None:
        """A job has ended."""
        self._ends.append(self._clock())

    def seconds_until_room(self, waiting: int) -> int:
        """Until a tenth of a queue of so many jobs has ended: then whoever was refused hardly meets a full one again."""
        if len(self._ends) < 2:
            return UNKNOWN_SECONDS
        each = (self._clock() - self._ends[0]) / (len(self._ends) - 1)
        return round(min(max(each * waiting / 10, LEAST_SECONDS), MOST_SECONDS))


class Rate:
    """How many tokens a second come now: counted over the last few seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque()

    def count(self) -> None:
        """One token has come."""
        self._forget()
        self._times.append(self._clock())

    def per_second(self) -> float:
        self._forget()
        return len(self._times) / RATE_SECONDS

    def _forget(self) -> None:
        since = self._clock() - RATE_SECONDS
        while self._times and self._times[0] < since:
            self._times.popleft()


def queue_positions(
    line: Iterable[WaitingJob], running: Iterable[WaitingJob], speed: Speed, rows: int, delay: Callable[[str, int], float]
) -> Mapping[int, QueuePosition]:
    """The position of each answer, by its id. `line`: waiting jobs in the order of starting; running jobs are taken to be half done.

    `delay`: seconds until a channel can show its n-th answer from now: a busy group may wait for its platform and not for an engine.
    """
    running = list(running)
    shown = Counter(job.channel for job in running)
    found = {job.answer: QueuePosition(job.answer, 0, 0.0) for job in running}
    ahead = sum(job.cost for job in running) / 2
    for position, job in enumerate(line, start=1):
        shown[job.channel] += 1
        found[job.answer] = QueuePosition(job.answer, position, _later(speed.seconds(ahead, rows), delay(job.channel, shown[job.channel])))
        ahead += job.cost
    return found


def _later(made: float | None, shown: float) -> float | None:
    return max(made or 0.0, shown) if made is not None or shown else None


def _moved(average: float | None, new: float) -> float:
    return new if average is None else (1 - WEIGHT) * average + WEIGHT * new
