"""Everything that works around a client of Kafka or talks to a broker: batches, topics, rights, security, readers.

Imports `observing` (logs) and `settings`. Read first: `record_batches.py`, how Faust hands over whole batches.
"""
