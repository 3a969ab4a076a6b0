"""Sealing: who can close and who can open.

``seal`` is the write side and holds public keys only; ``custody`` makes, wraps, unwraps and
destroys the private halves; ``open`` is the read side. All of it is age v1 (C2SP age), so
stock tools open everything.
"""
