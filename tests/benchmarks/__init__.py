"""The benchmark of the engine: `make bench`, or `python -m tests.benchmarks [PART ...]`. It is no test."""
