"""TURN (RFC 8656): calls that cannot find a direct way, or must not, go through a relay.

The relay is coturn, a program of its own. Here is what this product does for it:

- `settings`: the ``[turn]`` table, and what of it does not fit together.
- `credentials`: short-lived ones, for one session and one party each; coturn checks them with
  nothing but the shared secret.
- `coturn`: the relay's configuration file, made from the settings.
- `client`: a small TURN client, to see whether a relay does what it should: `client.probe`.
"""
