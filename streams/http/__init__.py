"""What a worker serves: the live page with its past, metrics for Prometheus, health and readiness.

Imports `worker` and `observing`. Read first: `endpoints.py`.
"""
