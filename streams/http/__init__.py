"""What a worker serves: the live page, metrics for Prometheus, health and readiness.

May import `worker` and what is below it. Read first: `endpoints.py`.
"""
