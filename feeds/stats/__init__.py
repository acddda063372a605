"""Counts subscribers: sums polls by source and day, computes subscribers by feed and reader, and reports them.

    web worker ─► PollCounter ─► counts by source ─► roll-up ─► counts by day ─► Report ─► list, stats, /stats
    access log ─►  (memory)         (catalog)                     (catalog)

`user_agents` decides which reader a User-Agent names, and how many subscribers it has. Days are in UTC. No address is
stored: clients are distinguished by a hash of address and User-Agent, whose random key is deleted after the day.
"""
