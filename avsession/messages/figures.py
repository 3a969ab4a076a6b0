"""What a recorder worker counts: told in each heartbeat, shown by the server's ``/metrics``.

The names are Prometheus's, after ``avsession_recorder_``. A counter starts anew with its worker.
"""

from __future__ import annotations

COUNTER, GAUGE = "counter", "gauge"

FIGURES: dict[str, tuple[str, str]] = {
    "recordings": (GAUGE, "Recordings whose gate is open here."),
    "publishers": (GAUGE, "Parties' legs that are connected."),
    "taking": (GAUGE, "1 while a new recording would be taken, 0 while there is no room."),
    "spool_recordings": (GAUGE, "Recordings that the spool holds, those being finished included."),
    "spool_free_bytes": (GAUGE, "Free space where the spool is."),
    "packets_total": (COUNTER, "SRTP and SRTCP packets that arrived."),
    "packets_refused_total": (COUNTER, "Datagrams dropped: empty, too long, from strangers."),
    "packets_malformed_total": (COUNTER, "Packets that decrypted and then could not be read."),
    "packets_lost_total": (COUNTER, "Packets that never came and were given up."),
    "packets_recovered_total": (COUNTER, "Packets that came when they were asked for again."),
    "frames_total": (COUNTER, "Frames of video and audio on their way to the disk."),
    "frames_discarded_total": (COUNTER, "Frames not stored: incomplete, or not decodable."),
    "stalls_total": (COUNTER, "Times a connected party's video stood still for over a second."),
    "legs_failed_total": (COUNTER, "Legs that failed; each is made anew while its gate is open."),
    "segments_total": (COUNTER, "Segments handed to the disk."),
    "store_seconds_total": (COUNTER, "Time spent sealing, writing and listing, fsync included."),
    "fsync_seconds_total": (COUNTER, "Time spent waiting for the disk to have it."),
    "fsyncs_total": (COUNTER, "Times it was waited for."),
    "fsync_longest_seconds": (GAUGE, "The longest such wait since the heartbeat before."),
    "memory_bytes": (GAUGE, "Memory that the worker's process holds."),
    "packets_waiting": (GAUGE, "Packets behind a missing one that is still awaited."),
    "frames_waiting": (GAUGE, "Frames in delay lines and in segments that are not full yet."),
    "jobs_waiting": (GAUGE, "Segments and other work that waits for the disk."),
    "segments_unlisted": (GAUGE, "Segments in the spool that no line of a manifest lists yet."),
    "entries_waiting": (GAUGE, "Lines of manifests that have no word from the server yet."),
    "gate_opened_total": (COUNTER, "Times a gate opened here."),
    "gate_closed_total": (COUNTER, "Times a gate closed here."),
    "failures_total": (COUNTER, "Recordings stopped because they could not be stored."),
    "link_lost_total": (COUNTER, "Times the connection to signaling was lost."),
}
"""Name: whether it only grows, and what it means."""
