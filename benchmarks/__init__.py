"""The benchmark of the engine: `make bench`, or `python -m benchmarks [PART ...]`. It is no test."""
