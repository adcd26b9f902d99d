"""Wiring: Faust, Kafka, Prometheus, HTTP and the command line around processors and state."""
