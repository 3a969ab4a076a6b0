"""What can go wrong, named by what happened: a stable ``code``, and a sentence for a person.
The tree under AvsessionError:
    ├── Invalid              the input is wrong; nothing was changed
    │   ├── MessageInvalid, SdpRefused, NoticeMismatch, PurposesRefused, GrantInvalid, GrantExpired
    │   ├── GrantStale, SignatureInvalid, CheckpointInvalid, ProofInvalid, ReceiptInvalid
    │   └── ManifestBroken, RecordingTruncated, SettingsInvalid
    ├── Refused              the caller may not do this
    │   ├── SignInRequired, SignInFailed, LinkSpent, TicketRefused, NotPermitted, OriginRefused
    │   ├── ConsentRequired, PurposeExpired, PausedByOther, TooMany, TooYoung, TlsRequired
    │   └── CustodyRefused
    ├── NotFound             there is no such thing, for this caller
    ├── Conflict             it was possible once, or will be, but not now
    │   ├── AlreadyAnswered, RequestOver, AskingEnded, SessionOver, SegmentRefused, Erased, Held
    │   └── Restricted, SessionLive, CustodyMoved
    └── Unavailable          a part we need is not there; recording stops, the call goes on
        ├── DatabaseUnavailable, StorageFull, ServerStopping, RecorderStopping, SignerFailed
        ├── CustodyUnavailable
        └── LogBroken
            └── LogShrunk, LogForked, AnchorMissing, AnchorInvalid
"""


class AvsessionError(Exception):
    """Something this product knows by name went wrong."""

    code = "error"
    sentence = "Something went wrong."

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


class Invalid(AvsessionError):
    """The input is wrong; nothing was changed."""

    code = "invalid"
    sentence = "The request is not valid."


class MessageInvalid(Invalid):
    """A message is not one of the protocol's, or breaks a limit of it."""

    code = "message.invalid"
    sentence = "The message is not one of this protocol's."


class SdpRefused(Invalid):
    """A session description is outside what the protocol accepts."""

    code = "sdp.refused"
    sentence = "The session description is not acceptable."


class NoticeMismatch(Invalid):
    """Consent was said to another text than the one this request shows."""

    code = "consent.notice_mismatch"
    sentence = "That is not the notice of this request."


class PurposesRefused(Invalid):
    """The purposes are empty, unknown, or not among those asked for."""

    code = "consent.purposes"
    sentence = "Choose at least one of the purposes that were asked for."


class GrantInvalid(Invalid):
    """A capture grant is malformed, signed by someone else, or meant for another recorder."""

    code = "grant.invalid"
    sentence = "The capture grant is not valid here."


class GrantExpired(Invalid):
    """A capture grant's time is over."""

    code = "grant.expired"
    sentence = "The capture grant has expired."


class GrantStale(Invalid):
    """A capture grant belongs to an older generation of the gate."""

    code = "grant.stale"
    sentence = "The capture grant is of an older generation."


class SignatureInvalid(Invalid):
    """A party's own signature is missing, is not over what was said, or its key is not enrolled."""

    code = "signature.invalid"
    sentence = "The signature of your browser does not hold; load the page again."


class ReceiptInvalid(Invalid):
    """A file is no receipt, or the parts of one do not belong together."""

    code = "receipt.invalid"
    sentence = "That is not a receipt."


class ManifestBroken(Invalid):
    """A manifest's chain, numbering or signature does not hold."""

    code = "manifest.broken"
    sentence = "The manifest does not verify."


class RecordingTruncated(Invalid):
    """A sealed segment ends before its end, or is not the one the manifest names."""

    code = "recording.truncated"
    sentence = "A segment of the recording is damaged or incomplete."


class CheckpointInvalid(Invalid):
    """A checkpoint, or a key of the log, is malformed or not signed by the log's key."""

    code = "checkpoint.invalid"
    sentence = "The checkpoint does not verify."


class ProofInvalid(Invalid):
    """A proof is malformed, or does not lead from the leaf to the checkpoint."""

    code = "proof.invalid"
    sentence = "The proof does not verify."


class SettingsInvalid(Invalid):
    """The settings cannot be used; the sentence lists every reason."""

    code = "settings.invalid"
    sentence = "The settings are not valid."


class Refused(AvsessionError):
    """The caller may not do this."""

    code = "refused"
    sentence = "That is not allowed."


class SignInRequired(Refused):
    """No live session stands behind the request."""

    code = "auth.required"
    sentence = "Sign in first."


class SignInFailed(Refused):
    """Name or password is wrong; which of the two is not said."""

    code = "auth.failed"
    sentence = "The name or the password is wrong."


class LinkSpent(Refused):
    """A link was used, revoked, has expired, or never existed; which is not said."""

    code = "link.spent"
    sentence = "This link is no longer valid. Ask for a new one."


class TicketRefused(Refused):
    """A signaling ticket was used, has expired, or never existed."""

    code = "ticket.refused"
    sentence = "The ticket is not valid; fetch a new one."


class NotPermitted(Refused):
    """The caller lacks the permission for this."""

    code = "not_permitted"
    sentence = "You do not have the permission for that."


class OriginRefused(Refused):
    """The request comes from a page that is not ours."""

    code = "origin.refused"
    sentence = "Requests from that origin are not accepted."


class TlsRequired(Refused):
    """A request reached us by plain HTTP, or the proxy in front does not say how it came."""

    code = "tls.required"
    sentence = "Ask by HTTPS. A proxy in front must say so: X-Forwarded-Proto, or proto=."


class ConsentRequired(Refused):
    """Not everyone present has consented to this; nothing is captured or shown."""

    code = "consent.required"
    sentence = "Not everyone has consented to that."


class PurposeExpired(Refused):
    """The time told for a purpose is over: it is no reason any more to open a recording."""

    code = "purpose.expired"
    sentence = "The time that was told for that purpose is over."


class PausedByOther(Refused):
    """Somebody else has paused the recording: only who paused it resumes it."""

    code = "recording.paused_by_other"
    sentence = "Only the one who paused the recording can resume it."


class TooMany(Refused):
    """A limit was reached."""

    code = "too_many"
    sentence = "Too many; wait a moment."


class TooYoung(Refused):
    """Who joins is younger than the service is for. Nothing was stored."""

    code = "age.too_young"
    sentence = "You are too young for this service. Nothing about you was stored."


class CustodyRefused(Refused):
    """Custody did not accept the grounds for unwrapping a key: see the custody process's log."""

    code = "custody.refused"
    sentence = "The keys of this recording are not given out for that."


class NotFound(AvsessionError):
    """There is no such thing, or none that the caller may know of."""

    code = "not_found"
    sentence = "That could not be found."


class Conflict(AvsessionError):
    """It does not fit the present state; nothing was changed."""

    code = "conflict"
    sentence = "That does not fit the present state."


class AlreadyAnswered(Conflict):
    """This party has answered this request."""

    code = "consent.answered"
    sentence = "You have already answered this request."


class RequestOver(Conflict):
    """The recording request is not, or no longer, the live one of this session."""

    code = "consent.request_over"
    sentence = "That recording request is over."


class AskingEnded(Conflict):
    """This session's parties have refused often enough; they are not asked again."""

    code = "consent.asking_ended"
    sentence = "Recording was declined; it cannot be asked for again in this session."


class SessionOver(Conflict):
    """The session has ended."""

    code = "session.over"
    sentence = "The session has ended."


class SegmentRefused(Conflict):
    """A segment was captured outside an open gate; it must be deleted."""

    code = "segment.refused"
    sentence = "The segment lies outside the time that everyone consented to."


class Erased(Conflict):
    """The recording was destroyed."""

    code = "recording.erased"
    sentence = "The recording was destroyed."


class Held(Conflict):
    """A legal hold stands on it: it is destroyed once the hold is released, not before."""

    code = "hold.stands"
    sentence = "A legal hold stands on it. What was decided happens once the hold is released."


class Restricted(Conflict):
    """A person in it has it restricted: it is kept, and nobody may use it until that is lifted."""

    code = "recording.restricted"
    sentence = "A person in this recording has restricted it. It is kept, and may not be used."


class SessionLive(Conflict):
    """The session has not ended yet, and this can only be done afterwards."""

    code = "session.live"
    sentence = "The call is still going on. End it first."


class CustodyMoved(Conflict):
    """Custody was shown another checkpoint meanwhile; the same question is asked again."""

    code = "custody.moved"
    sentence = "Somebody else was faster; try again."


class Unavailable(AvsessionError):
    """A part of the system is not there. Recording does not start or stops; the call goes on."""

    code = "unavailable"
    sentence = "A part of the system is not available right now."


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or refuses. Nothing was kept of what was asked."""

    code = "database.unavailable"


class StorageFull(Unavailable):
    """There is less free space than recording needs; nothing new is recorded."""

    code = "storage.full"
    sentence = "There is too little free space to record."


class ServerStopping(Unavailable):
    """The server is about to stop: calls go on, new ones begin elsewhere or later."""

    code = "server.stopping"
    sentence = "The service is about to stop for a while. Please try again in a few minutes."


class RecorderStopping(Unavailable):
    """The recorder is about to end and begins nothing new."""

    code = "recorder.stopping"
    sentence = "The recorder is stopping."


class SignerFailed(Unavailable):
    """The audit log's key cannot be used: no new checkpoint, and so no new recording."""

    code = "log.signer"
    sentence = "The audit log cannot be signed right now."


class CustodyUnavailable(Unavailable):
    """The custody process does not answer: nothing stored opens, and no new recording starts."""

    code = "custody.unavailable"
    sentence = "The keys cannot be reached right now. What is being recorded goes on."


class LogBroken(Unavailable):
    """The audit log's tree is not whole. ``avsession audit verify`` says where."""

    code = "log.broken"
    sentence = "The audit log is damaged."


class LogShrunk(LogBroken):
    """The database has fewer leaves than were signed: an older copy, or leaves were removed."""

    code = "log.shrunk"
    sentence = "The audit log has fewer leaves than were signed."


class LogForked(LogBroken):
    """The database's leaves are others than were signed."""

    code = "log.forked"
    sentence = "The audit log is another one than was signed."


class AnchorMissing(LogBroken):
    """The log was signed before, but the checkpoint that is kept beside the database is gone."""

    code = "log.anchor_missing"
    sentence = "The checkpoint that is kept outside the database is gone."


class AnchorInvalid(LogBroken):
    """The checkpoint that is kept beside the database cannot be read, or is not this log's."""

    code = "log.anchor_invalid"
    sentence = "The checkpoint that is kept outside the database is not this log's."
