"""Draws the arrivals that the fairness test replays: `python tests/bot/data/record_arrivals.py > tests/bot/data/arrivals.csv`.

Thirty people in one channel ask for an hour, each as a Poisson process of one question in two minutes; answers take
80–300 tokens; one question in ten asks for five beams. Each line: seconds, person, beams, tokens of the answer.
"""

from __future__ import annotations

import random
import sys

SECONDS, PEOPLE, INTERVAL = 3600.0, 30, 120.0


def main() -> None:
    draw = random.Random(20261122)
    for person in range(PEOPLE):
        at = draw.expovariate(1 / INTERVAL)
        while at < SECONDS:
            beams = 5 if draw.random() < 0.1 else 1
            sys.stdout.write(f"{at:.2f},{person},{beams},{draw.randint(80, 300)}\n")
            at += draw.expovariate(1 / INTERVAL)


if __name__ == "__main__":
    main()
