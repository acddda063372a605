"""User-Agents: real ones (agents.tsv) are recognised, and a day's subscribers are counted."""

import csv
import hashlib
import random
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.stats import user_agents
from feeds.stats.user_agents import (
    MAX_SUBSCRIBERS_OF_KNOWN,
    MAX_SUBSCRIBERS_OF_UNKNOWN,
    FeedReader,
    Kind,
    count_subscribers,
    identify,
)

with Path(__file__).with_name("agents.tsv").open(encoding="utf-8", newline="") as _lines:
    AGENTS = list(csv.DictReader(_lines, delimiter="\t", quoting=csv.QUOTE_NONE))
KINDS = get_args(Kind)


def said(row):
    """Return the reader that a line of agents.tsv describes."""
    subscribers, feed_id = row["subscribers"], row["feed id"]
    return FeedReader(
        row["name"],
        row["kind"],
        None if subscribers == "-" else int(subscribers),
        "" if feed_id == "-" else feed_id,
    )


@pytest.mark.parametrize("row", AGENTS, ids=[row["user agent"][:60] for row in AGENTS])
def test_published_strings(row):
    """Each published string gives the right reader, number of subscribers and id."""
    assert identify(row["user agent"]) == said(row)


def test_the_table_is_worth_its_name():
    """The list has at least 150 different strings, some of each kind, and each has a source."""
    assert len({row["user agent"] for row in AGENTS}) == len(AGENTS) >= 150
    assert {row["kind"] for row in AGENTS} == set(KINDS)
    assert all(row["source"] for row in AGENTS)


def test_no_name_stands_twice():
    """Each known string matches one reader only, so no list hides a line of another."""
    parts = [
        part
        for kind in ("crawler", "person", "service")
        for parts in user_agents._PROGRAMS[kind].values()
        for part in parts
    ]
    assert len(parts) == len(set(parts)) == len(user_agents._KNOWN)
    assert all(part == part.lower() for part in [*parts, *dict(user_agents._BROWSER_PARTS)])


@pytest.mark.parametrize(
    ("agent", "name", "kind"),
    [
        ("newsraft/1 (Linux)", "newsraft", "person"),
        ("ReadYou / 1(1)", "Read You", "person"),
        ("FeedMe/1", "FeedMe", "person"),
        ("fluent-reader/1 Chrome/1 Electron/1 Safari/1", "Fluent Reader", "person"),
        ("lire/1 CFNetwork/1 Darwin/1", "lire", "person"),
        ("Newsify Feed Fetcher", "Newsify", "service"),
        ("WordPress/1; https://test.example", "WordPress", "person"),
        ("\u64ad\u5ba2/1 CFNetwork/1", "播客", "unknown"),
        ("\u64ad\u5ba2/1 CFNetwork/1".encode().decode("latin-1"), "播客", "unknown"),  # as WSGI has it
        ("%E6%92%AD%E5%AE%A2/1 CFNetwork/1", "播客", "unknown"),
        ("Mozilla/5.0 (Linux; Android 1; CUBOT-P30 Build/1) Chrome/1 Mobile Safari/1", "Chrome", "browser"),
        ("Something/1 (+https://feedly.com/podcasts/)", "Something", "unknown"),  # a name in an address does not count
        ("Something/1 (like Thunderbirds)", "Something", "unknown"),
        ("Something/1 (https://feedbin.example; 3 subscribers)", "Something", "service"),
        ("<script>alert(1)</script>\x00\x1b[31m", "script alert", "unknown"),
        ("", "unknown", "unknown"),
        ("Mozilla/5.0", "Mozilla", "unknown"),
    ],
)
def test_names(agent, name, kind):
    """Programs without published strings are recognised by name; unknown programs get a clean name."""
    assert (identify(agent).name, identify(agent).kind) == (name, kind)


@pytest.mark.parametrize(
    ("agent", "subscribers"),
    [
        ("A/1 (1 subscriber)", 1),
        ("A/1 (15 subscriber(s) online)", 15),
        ("A/1; subscribers_1", 1),
        ("A v0.0.1 (+http://a.example/about ; Subscriber Count: 12)", 12),
        ("A/1 (a@a.example; for https://a.example/; 2 readers)", 2),
        ("A/1 (0 subscribers)", 0),
        ("FreshRSS/1 (Linux; 7 subscribers)", 7),
        (f"A/1 ({'9' * 400} subscribers)", MAX_SUBSCRIBERS_OF_UNKNOWN),
        ("Feedly/1.0 (12345678901 subscribers)", MAX_SUBSCRIBERS_OF_KNOWN),
        ("Feedly/1.0 (999999 subscribers)", 999_999),
        ("A/1 (-5 subscribers)", 5),
        ("Reader 2 reader/1", None),
        ("A/1 (v1.5 subscribers)", None),
        ("A/1 (subscribers)", None),
        (f"{' ' * 500}A/1 (3 subscribers)", None),
    ],
)
def test_numbers(agent, subscribers):
    """A number of subscribers is accepted from any service up to a limit; other numbers are ignored."""
    assert identify(agent).subscribers == subscribers
    assert (identify(agent).kind == "service") == (subscribers is not None)


@given(
    st.text(max_size=700)
    | st.binary(max_size=700).map(lambda sent: sent.decode("latin-1"))
    | st.lists(st.sampled_from([word for row in AGENTS for word in row["user agent"].split()]), max_size=60).map(
        " ".join
    )
)
def test_whatever_is_sent(agent):
    """Any User-Agent can be parsed, and the result is bounded, clean and deterministic."""
    reader = identify(agent)
    assert identify(agent[:500]) == reader
    assert reader.kind in KINDS
    assert 0 < len(reader.name) <= 40
    assert reader.name.isprintable()
    assert reader.name == reader.name.strip()
    assert not set(reader.name) & set('<>"/\\;')
    assert reader.subscribers is None or 0 <= reader.subscribers <= MAX_SUBSCRIBERS_OF_KNOWN
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,64}", reader.feed_id)
    assert reader.kind == "service" or (reader.subscribers is None and not reader.feed_id)


class Poll(NamedTuple):
    """The part of a request that the catalog stores."""

    feed: str
    reader: str
    kind: str
    source: str
    subscribers: int | None


def count(polls):
    """Count as the catalog does: each source separately, with its largest number."""
    groups = defaultdict(lambda: defaultdict(list))
    for one in polls:
        groups[one.feed, one.reader, one.kind][one.source] += [] if one.subscribers is None else [one.subscribers]
    counted = defaultdict(lambda: defaultdict(int))
    for (feed, reader, kind), sources in groups.items():
        largest = [max(numbers) for numbers in sources.values() if numbers]
        if number := count_subscribers(reader, kind, len(sources), sum(largest) if largest else None):
            counted[feed][reader] += number
    return counted


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ([("Feedbin", "service", "7", 3), ("Feedbin", "service", "7", 5), ("Feedbin", "service", "8", 2)], 7),
        ([("Feedbin", "service", "7", 3), ("Feedbin", "service", "", None)], 3),
        (
            [
                ("Feedly", "service", "rss.xml", 3),
                ("Feedly", "service", "atom.xml", 5),
                ("Feedly", "service", "rss.xml", 2),
            ],
            8,
        ),
        ([("Feeder.co", "service", "", None), ("Feeder.co", "service", "", None)], 1),
        ([("Feedly", "service", "", 0)], None),
        ([("Reeder", "person", "a", None), ("Reeder", "person", "b", None), ("Reeder", "person", "a", None)], 2),
        ([("Castamatic", "person", "a", None), ("Castamatic", "service", "", None)], 2),
        ([("Plenary", "unknown", "a", None)], 1),
        ([("curl", "crawler", "a", None), ("curl", "crawler", "b", 9)], None),
        ([("Firefox", "browser", "a", None)], None),
        ([], None),
    ],
)
def test_rules_of_counting(day, expected):
    """Ids of a service are added, each with its largest number; requests without one count once; persons by source."""
    counted = count(Poll("", *facts) for facts in day)
    assert counted == ({"": {day[0][0]: expected}} if expected else {})


def asked(path, agent, address):
    """Return a poll of a request, as a server records it: a service by id or format, a person by hashed address."""
    reader = identify(agent)
    feed, _, name = path.rpartition("/")
    source = hashlib.sha256(f"{address} {agent}".encode()).hexdigest()
    source = reader.feed_id or name if reader.kind == "service" else source
    return Poll(feed, reader.name, reader.kind, source, reader.subscribers)


def filled(row, subscribers, feed_id):
    """Return a published string with another number of subscribers and another id."""
    agent = re.sub(
        rf"\b{row['subscribers']}(?= subscriber| reader|;)",
        str(subscribers),
        row["user agent"],
        count=1,
        flags=re.IGNORECASE,
    )
    return agent if row["feed id"] == "-" else agent.replace(row["feed id"], feed_id)


@settings(max_examples=max(1, settings().max_examples // 10))  # each example has a thousand clients
@given(st.integers(0))
def test_a_day(seed):
    """A thousand clients that poll repeatedly from many addresses give exactly the expected subscribers."""
    chance = random.Random(seed)
    rows = defaultdict(list)
    for row in AGENTS:
        rows[row["kind"], row["subscribers"] != "-"].append(row)
    formats = ["rss.xml", "atom.xml", "feed.json"]
    put_in = defaultdict(lambda: defaultdict(int))
    day, pollers = [], 0

    def poll(feed, agent, addresses, formats=formats):
        day.extend(
            asked(f"{feed}/{chance.choice(formats)}", agent, chance.choice(addresses))
            for _ in range(chance.randint(1, 6))
        )

    for feed in ["", "tag/ai", "category/transport"]:
        named = {row["name"]: row for row in chance.sample(rows["service", True], k=len(rows["service", True]))}
        for name, row in named.items():  # one string for each service: two would state two numbers for one day
            for number in range(chance.randint(1, 3)):
                mine = [formats[number]] if row["feed id"] == "-" else formats
                most, pollers = chance.randint(1, 5000), pollers + 1
                addresses = [f"service {chance.random()}" for _ in range(chance.randint(1, 4))]
                for number_said in [most, *(chance.randint(0, most) for _ in range(3))]:
                    poll(feed, filled(row, number_said, f"70{number}"), addresses, mine)
                put_in[feed][name] = min(put_in[feed][name] + most, user_agents.max_subscribers(name))
        for row in rows["service", False]:
            poll(feed, row["user agent"], ["one", "another"])
            pollers += 1
            put_in[feed][row["name"]] = put_in[feed][row["name"]] or 1
        for row in chance.choices(rows["person", False] + rows["unknown", False], k=250):
            pollers += 1
            poll(feed, row["user agent"], [f"home {pollers}"])
            put_in[feed][row["name"]] += 1
        for row in chance.choices(rows["crawler", False] + rows["browser", False], k=60):
            pollers += 1
            poll(feed, row["user agent"], [f"away {pollers}"])

    chance.shuffle(day)
    assert pollers >= 1000
    assert count(day) == put_in
    assert count(set(day)) == put_in
