"""Privacy: what the law asks for, as pure functions over values. No clock, no database, no page.

:mod:`avsession.privacy.retention` says what is kept, from when, how long, and what happens then.
"""
