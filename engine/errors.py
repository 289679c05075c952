"""Every error the engine raises on purpose, in one place, so that each layer can catch exactly what it expects.

    EngineError
    ├── RequestError          the caller's fault: names the field; HTTP 400
    │   ├── UnknownModelError the model asked for is not the one served; HTTP 404
    │   ├── PictureError      a picture that can't be used: names the reason and the limit
    │   └── ContextError      pictures and system prompt alone exceed the context window
    ├── AuthenticationError   missing or wrong key; HTTP 401
    ├── NotReadyError         weights still loading, or the worker is being restarted; HTTP 503, Retry-After
    ├── OverloadedError       the bounded queue is full; HTTP 429, Retry-After
    ├── StartError            the server can't start as configured: names the option and the remedy
    ├── HungError             the device never finishes a step; the process ends, and a fresh one is wanted
    ├── GenerationError       one request failed on the device; HTTP 500, the others go on
    ├── DataError             training data that can't be used: names the file or the rows
    └── ModelError            a model folder that can't be loaded
        ├── WeightsError      a weight file is missing, truncated, of another shape, or not plain tensors
        ├── AdapterError      an adapter that can't be used with this model, or asks for what is not computed here
        └── DownloadError     a part could not be fetched: names it, and what to do offline

No torch here: the bot imports this module.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all. `str(error)` is one sentence that names the input and the remedy."""


class RequestError(EngineError):
    """A request that can't be served as it stands. `param` is the wire's field, such as `messages[0].content`."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnknownModelError(RequestError):
    """The request names a model that this engine does not serve."""


class PictureError(RequestError):
    """A picture that is truncated, too large, of the wrong kind, or not a picture."""


class ContextError(RequestError):
    """The pictures and the system prompt, which are never dropped, do not fit into the context window."""


class AuthenticationError(EngineError):
    """The key is missing or wrong."""


class NotReadyError(EngineError):
    """The engine can't answer yet. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OverloadedError(NotReadyError):
    """More requests wait than the engine will hold. `retry_after` is in seconds."""


class StartError(EngineError):
    """The server can't start as it is configured."""


class HungError(EngineError):
    """The device does not finish a step, and nothing but the end of the process ends it."""


class GenerationError(EngineError):
    """The device failed while it worked on one request."""


class DataError(EngineError):
    """Training or evaluation data that can't be used; the message names the file or the rows, and what it should be."""


class ModelError(EngineError):
    """A model folder that is missing, unfinished or of an unknown form."""


class WeightsError(ModelError):
    """A weight file that can't be used; the message says which file to change."""


class AdapterError(ModelError):
    """An adapter that can't be read, does not fit the model, or is of a kind that is not computed here."""


class DownloadError(ModelError):
    """A part of a model could not be fetched."""
