"""Servers and processes that experiments and tests start: Apache Kafka, Prometheus, what Compose declares; and
readers.

May import no other room of `experiments`. Read first: `apache_kafka.py`.
"""
