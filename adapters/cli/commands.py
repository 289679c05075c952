"""The names, options and help of `gander`'s own commands. What a command needs is imported when it runs: `gander --help` comes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.console_app import ConsoleApp

ADAPTER = typer.Option(
    metavar="NAME[=FOLDER]", help="Answer with this LoRA adapter (peft's form) beside the model; more of them are there for other clients."
)
MODEL = "A model's name (`gander model list --all`), owner/name of a hub, or a folder; fetched first if it is not here."

app = ConsoleApp(no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def ask(
    words: Annotated[list[str], typer.Argument(metavar="[PICTURE…] QUESTION", help="Picture files, then the question in quotes.")],
    temperature: Annotated[float | None, typer.Option(help="Surprise, 0 to 2: 0 always takes the likeliest word.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Choose among the likeliest words that add up to this share, up to 1.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Choose among so many likeliest words; 0 = all.")] = None,
    beams: Annotated[int | None, typer.Option(help="Follow so many answers at once, 1 to 10, and keep the best.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Stop the answer after so many tokens.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same answer again.")] = None,
    model: Annotated[str | None, typer.Option(help=f"{MODEL} Else pocket.")] = None,
    engine_url: Annotated[str | None, typer.Option(help="Ask an engine that runs already (its key in GANDER_ENGINE_KEY).")] = None,
    adapter: Annotated[list[str] | None, ADAPTER] = None,
) -> None:
    """Ask about pictures, or just ask: `gander ask cat.jpg "What is this?"`."""
    from adapters.cli.ask import ask_once
    from adapters.terminal.console import run
    from adapters.terminal.pictures import is_file

    *files, question = words
    if is_file(Path(question)):
        raise typer.BadParameter(f"{question} is a file; the question comes last: gander ask {' '.join(words)} 'What is this?'")
    sampling = {"temperature": temperature, "top_p": top_p, "top_k": top_k, "num_beams": beams, "max_tokens": max_tokens, "seed": seed}
    given = {name: value for name, value in sampling.items() if value is not None}
    run(ask_once([Path(file) for file in files], question, given, model, engine_url, adapter or ()))


@app.command()
def explain(
    picture: Annotated[Path, typer.Argument(help="A picture file.")],
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file to write; it needs no network.")] = Path("how.html"),
    beams: Annotated[int | None, typer.Option(help="Follow so many answers at once, 1 to 10, and show their tree.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Stop the answer after so many tokens.")] = None,
    language: Annotated[str, typer.Option(help="Of the page: en, zh-CN or zh-TW.")] = "en",
    model: Annotated[str | None, typer.Option(help=f"{MODEL} Else pocket.")] = None,
    engine_url: Annotated[str | None, typer.Option(help="Ask an engine that runs already (its key in GANDER_ENGINE_KEY).")] = None,
) -> None:
    """Ask about a picture and write a page that shows how the answer came about: where each word looked, and its rivals."""
    from adapters.cli.explain import explain_once
    from adapters.terminal.console import run

    sampling = {"temperature": 0.0, "num_beams": beams, "max_tokens": max_tokens}
    given = {name: value for name, value in sampling.items() if value is not None}
    run(explain_once(picture, question, given, out, language, model, engine_url))


@app.command()
def read(picture: Annotated[Path, typer.Argument(help="A picture file.")]) -> None:
    """Print what is written in a picture: in reading order, code with its indentation."""
    from adapters.cli.read import print_words
    from adapters.terminal.console import run

    run(print_words(picture))


@app.command()
def run(
    config: Annotated[Path | None, typer.Option(help="The configuration; else gander.toml here or in ~/.config/gander.")] = None,
    model: Annotated[str | None, typer.Option(help=MODEL)] = None,
    adapter: Annotated[list[str] | None, ADAPTER] = None,
) -> None:
    """Serve the web page, and Discord and Telegram where their tokens are set. SIGTERM or Ctrl-C stops it gracefully."""
    from adapters.cli.run_and_chat import serve_all

    serve_all(config, model, adapter or ())


@app.command()
def chat(
    config: Annotated[Path | None, typer.Option(help="The configuration; else gander.toml here or in ~/.config/gander.")] = None,
    model: Annotated[str | None, typer.Option(help=MODEL)] = None,
    engine_url: Annotated[str | None, typer.Option(help="Ask an engine that runs already (its key in GANDER_ENGINE_KEY).")] = None,
    adapter: Annotated[list[str] | None, ADAPTER] = None,
) -> None:
    """Talk in this terminal: type a question, drag a picture in. Ctrl-C stops an answer, twice leaves."""
    from adapters.cli.run_and_chat import talk

    talk(config, model, engine_url, adapter or ())


@app.command()
def demo(once: Annotated[bool, typer.Option("--once", help="Stop after the three sample pictures.")] = False) -> None:
    """Answer about three sample pictures with the pocket model, then about yours on a web page. Fetches the model first if need be."""
    from adapters.cli.demo import show_demo

    show_demo(once)


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Option(help="The configuration; else gander.toml here or in ~/.config/gander.")] = None,
) -> None:
    """Look over this machine, the platforms' tokens and the engines: what is there, what is missing, and what to do."""
    from adapters.cli.doctor import examine

    if not examine(config):
        raise typer.Exit(1)
