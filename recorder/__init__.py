"""The recorder: a visible participant that stores what every party agreed to, and nothing else.

It is a process of its own and stands apart from the rest: of the core it knows the messages, the
grant, the manifest and how to seal. It cannot read what it stored, and it decodes nothing.

A packet's way::

    leg      one party's WebRTC connection (only it and ice touch aiortc); sdp: its offer,
             dtls: what may reach it, shares: and how much, private_names: what it relies on;
             intake: its SRTP, read in batches (sockets) at each tick
    receive  RTP to whole frames: rtp (bytes), stream (one SSRC), reorder (loss), clock (time),
             vp8 (frames); asking: when a packet or a keyframe is asked for again
    gate     is this generation live, is this frame from before the closing moment? delay line
    track    one party's clusters, sealed; webm: frames to clusters
    spool    segments and the signed manifest, in an order that survives a crash; disk below it,
             entries: what the manifest says besides

Who decides, from the inside out::

    party    keeps one party's leg going
    capture  one recording: its gate, its parties, its journal (the spool's one thread)
    worker   the process: grants (permit: which of them hold), heartbeats, many recordings;
             link: the road to signaling

`rtp`, `stream`, `reorder`, `asking`, `clock`, `vp8`, `receive`, `sdp`, `shares`, `gate`, `webm`,
`server_clock` do no I/O.

Five nouns: a *leg* brings *frames*; a *gate* lets them pass while its *generation* is live; a
*segment* is a sealed cluster of them. FORMAT.md says what is on disk and how anyone opens it.
"""
