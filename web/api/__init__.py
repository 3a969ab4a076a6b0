"""The api by resource. Each module has its part of the route table in ``ROUTES``."""
