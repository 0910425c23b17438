"""Workloads of ``tools/benchmark.py``, and their measurement."""
