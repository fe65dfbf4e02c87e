"""Librato, simulated: API tokens with roles, annotations, measurements and metrics."""
