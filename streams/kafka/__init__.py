"""Everything that works around a client of Kafka or talks to a broker: batches, topics, rights, security, readers.

May import `observing` (logs), `command_line.py`, `settings.py` and processors. Read first: `record_batches.py`, how
Faust hands over whole batches.
"""
