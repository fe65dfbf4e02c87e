"""What forwarding costs, beside what it costs done otherwise: `python -m tests.bench.forwarding --help`."""
