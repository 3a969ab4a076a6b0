"""The recorder: a visible participant that stores what every party agreed to, and nothing else.

It is a process of its own and stands apart from the rest: of the core it knows the messages, the
grant, the manifest and how to seal. It cannot read what it stored, and it decodes nothing.

A packet's way, each step in a file of its own, everything but the first and the last two pure::

    leg      one party's WebRTC connection (the only file that touches aiortc)
    receive  RTP to whole frames: rtp (bytes), reorder (loss), clock (time), vp8 (frames)
    gate     is this generation live, and is this frame from before the closing moment?
    webm     encoded frames into whole clusters
    spool    segments: sealed, fsynced, listed in the signed manifest
    worker   the process: signaling, grants, legs, heartbeats, reports

Five nouns: a *leg* brings *frames*; a *gate* lets them pass while its *generation* is live; a
*segment* is a sealed cluster of them. FORMAT.md says what is on disk and how anyone opens it.
"""
