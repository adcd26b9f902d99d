"""Durability: what must survive a crash, and how it is written. May import processors, never streams."""
