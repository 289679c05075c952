"""A comparison, and a line that moves, as a room on Discord sees them."""

from __future__ import annotations

from tests.adapters.discord.whole import GOOSE, Whole, labels


async def test_a_comparison_is_one_message_whose_votes_are_counted(whole: Whole) -> None:
    server = whole.server
    await server.ann.slash(server.channel, "compare", prompt="what?", image=("goose.png", GOOSE), temperature="0.2,1.8")
    await whole.says("**temperature 1.8**")
    await whole.until(lambda: any("👍 temperature 1.8" in labels(message) for message in server.said()))
    compared = next(message for message in server.said() if "👍 temperature 1.8" in labels(message))
    await server.bob.click(compared, label="👍 temperature 1.8")
    await whole.until(lambda: any("👍 temperature 1.8 · 1" in labels(message) for message in server.said()))
    assert sum("temperature 1.8" in message.content for message in server.said()) == 1


async def test_the_queue_moves_for_the_person_alone(whole: Whole) -> None:
    server, engine = whole.server, whole.engine
    engine.gate.clear()
    for number in range(engine.rows + 1):
        await server.bob.send(server.channel, f"{server.mention} {number}")
    await whole.until(lambda: engine.running > 0)
    shown = await server.bob.slash(server.channel, "queue")
    assert "in line" in await whole.told(shown)
    engine.gate.set()
    await whole.until(lambda: shown.response is not None and "in line" not in shown.response.content)
    assert shown.ephemeral
