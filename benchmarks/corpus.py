"""Write generated articles that resemble a news site: python benchmarks/corpus.py COUNT FOLDER [SEED].

The same count and seed produce the same bytes. An article has one of twelve categories, eight tags out of five hundred
and four to nine paragraphs. Two of three have a list directly after a line of text, one of four a picture and a link,
one of eight a table.
"""

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

CATEGORIES = ("ai", "business", "climate", "culture", "education", "health", "politics", "science", "sport", "tech",
              "travel", "world")  # fmt: skip
WORDS = [
    "harbour",
    "council",
    "budget",
    "quay",
    "officials",
    "figures",
    "reported",
    "according",
    "vessel",
    "storm",
    "minister",
    "inquiry",
    "region",
    "market",
    "energy",
    "annual",
    "spokesperson",
    "statement",
    "Tuesday",
    "measures",
    "network",
    "agreement",
    "committee",
    "researchers",
    "study",
    "patients",
    "schools",
    "water",
    "railway",
    "election",
    "candidate",
    "percent",
    "forecast",
    "company",
    "workers",
    "union",
    "strike",
    "court",
    "ruling",
    "appeal",
    "border",
    "talks",
    "summit",
]
KEYWORDS = [f"{first} {second}" for first in WORDS[:25] for second in WORDS[20:40]]
NEWEST = datetime(2026, 6, 1, tzinfo=UTC)


def articles(count: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of `count` articles, newest first."""
    rng = random.Random(seed)
    for number in range(count):
        words = [rng.choice(WORDS) for _ in range(9)]
        slug = f"{'-'.join(words)}-{number}".lower()
        category = rng.choice(CATEGORIES)
        moment = NEWEST - timedelta(minutes=7 * number, milliseconds=rng.randrange(1000))
        front = (
            f'---\ntitle: "{" ".join(words).title()}; {number} {rng.choice(WORDS).title()}"\n'
            f'date: "{moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}"\nslug: "{slug}"\n'
            f'category: "{category}"\ndescription: "{_sentence(rng, 20)}"\n'
            f"tags: {json.dumps(rng.sample(KEYWORDS, 8))}\n---\n\n"
        )
        yield f"{category}/{slug}.md", front + "\n\n".join(_blocks(rng)) + "\n"


def write(count: int, folder: Path, seed: int = 1) -> None:
    """Write `count` articles into a folder."""
    for path, text in articles(count, seed):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def paths(count: int, folder: Path) -> list[str]:
    """Return the paths of the `count` newest articles in a folder that `write` filled with the default seed."""
    numbers = {f"-{number}.md" for number in range(count)}
    return [
        f"{file.parent.name}/{file.name}"
        for file in folder.rglob("*.md")
        if f"-{file.name.rpartition('-')[2]}" in numbers
    ]


def _blocks(rng: random.Random) -> Iterator[str]:
    for _ in range(rng.randint(4, 9)):
        yield " ".join(_sentence(rng, rng.randint(12, 28)) for _ in range(rng.randint(2, 4)))
    if rng.random() < 2 / 3:
        items = (f"*   **{rng.choice(WORDS).title()}:** {_sentence(rng, 15)}" for _ in range(rng.randint(3, 7)))
        yield "Key details include:\n" + "\n".join(items)
    if rng.random() < 1 / 8:
        yield "| Year | Figure |\n|------|-------:|\n" + "\n".join(
            f"| {y} | {rng.randrange(999)} |" for y in range(2020, 2026)
        )
    if rng.random() < 1 / 4:
        yield f"![{rng.choice(WORDS)}](pictures/{rng.randrange(99)}.jpg)"
        yield f"See [{rng.choice(WORDS)}](/about/{rng.randrange(99)}/)."
    yield _sentence(rng, 30)


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words)).capitalize() + "."


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
