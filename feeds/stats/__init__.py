"""Counts subscribers: polls become counts of a day, these subscribers by feed and reader, and these a report.

    web worker ─► PollCounter ─► counts by source ─► roll-up ─► counts by day ─► Report ─► list, stats, /stats
    access log ─►  (memory)         (catalog)                     (catalog)

`user_agents` decides which reader a User-Agent names, and how many subscribers it has. Days are in UTC. No address is
stored: two clients differ by a hash of address and User-Agent. Its key is random and is deleted with the day.
"""
