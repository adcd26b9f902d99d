"""Simulated people, the papers' experiments, the demo and benchmarks. Nothing but the command line imports it."""
