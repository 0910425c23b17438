"""The workloads of ``tools/benchmark.py``, and what measures them."""
