"""Simulated people, the papers' experiments, the demo and benchmarks. Only the command line imports it."""
