"""Wiring: Faust, Kafka, Prometheus, HTTP and the command line around processors and state.

`app.py` is the composition root, the topology from top to bottom; `settings.py` the only reader of the environment;
`cli.py` the command line, made of the commands that rooms register. Rooms, each of which may import from those after
it: `http`, `doctor` and `replay`, `worker`, `inspection`, `kafka`, `observing`. Read first: `app.py`.
"""
