"""Pages and the HTTP api. Reads requests, asks use cases, writes answers; decides nothing itself.

The way of a request:

1. ``middleware``: our host, our header and Origin on everything that changes something; errors
   become ``{code, message}``; every answer leaves with the security headers.
2. ``routing``: the one table of the api. It registers the handlers *and* is what ``openapi``
   describes, so the two cannot differ. Signs the caller in (``auth``), decodes the body.
3. ``api/…``: a file a resource; a handler is a few lines around one use case.
4. ``pages``: the HTML and static files, from memory; who may see which page.
5. ``range``: which bytes of a recording a player asked for.

``app.create_app`` puts it together. Its cookies, and everything that a page keeps in a browser,
stand in the registry ``avsession.privacy.stored``.
"""
