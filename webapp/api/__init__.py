"""The JSON interface, one module a resource."""
