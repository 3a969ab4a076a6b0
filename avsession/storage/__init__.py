"""What is kept, and where: the only place that knows SQL or paths.

``tables`` is the schema, ``sql`` the transactions over it, ``migrations`` how a database gets
there; ``folders`` keeps sealed segments and wrapped keys in plain folders, ``files`` is how
anything durable is written. All of it stands behind the Protocols of ``avsession.ports``.
"""
