"""The engine's commands. Each lives in a module of its own under `engine/commands`, which imports torch only inside the command.

To add one: `app.command("name")(module.function)` for a single command, `app.add_typer(module.app, name="name")` for a group.
"""

from __future__ import annotations

import os
import sys

import typer

from engine.commands import model, train
from engine.commands.bench import bench
from engine.commands.cluster import cluster
from engine.commands.evaluate import evaluate
from engine.commands.facts import facts
from engine.commands.serve import engine
from engine.console_app import ConsoleApp
from engine.errors import EngineError, ModelError, StartError

# How long torch's idle threads wait actively for work before they sleep (libgomp reads it once, when torch is imported). Its
# default has them hold a core for milliseconds: beside other busy processes on two cores decoding then drops tenfold.
SPIN = "10000"
# Has torch grow its segments of a card's memory instead of taking more of fixed sizes, in whose gaps half a gigabyte got lost while
# quantised matrices were laid out: a conversation more on an 8 GB card.
ALLOCATION = "expandable_segments:True"

app = ConsoleApp(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The engine's side of `gander`.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("engine")(engine)
app.command("cluster")(cluster)
app.command("bench")(bench)
app.command("facts", hidden=True)(facts)
app.command("evaluate")(evaluate)
app.add_typer(model.app, name="model")
app.add_typer(train.app, name="train")


def main() -> None:
    """Errors raised on purpose are one sentence for people; anything else is a bug and shows where.

    The exit status tells a supervisor what a new start would do: os.EX_CONFIG = the same again.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
    os.environ.setdefault("PYTORCH_ALLOC_CONF", ALLOCATION)
    if os.environ.get("HF_ENDPOINT"):  # a mirror repeats the hub's Xet headers, and then has no such store: 243 s until it fails
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    try:
        app(prog_name="gander")
    except EngineError as error:
        typer.secho(str(error), fg="red", err=True)
        sys.exit(os.EX_CONFIG if isinstance(error, StartError | ModelError) else 1)
    except OSError as error:  # a disk or a network that fails where nobody expected it
        typer.secho(": ".join(filter(None, (error.filename and str(error.filename), error.strerror or str(error)))), fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
