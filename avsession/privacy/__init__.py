"""Privacy: what the law asks for, as pure functions over values. No clock, no database.

``retention`` says what is kept, from when, how long, and what happens then; ``requests`` which
states a person's request has, and until when it is answered; ``stored`` every cookie and item in a
browser, and what a choice about them allows; ``quality`` what is counted of a call. ``export``,
``export_page``, ``recipe`` and ``archive`` are what a person takes along: its documents, its
readable page, its files in order, and the ZIP around them, any byte of which can be made again.
"""
