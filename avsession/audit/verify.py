"""Verifying the whole log, in the numbered steps of :data:`avsession.audit.findings.STEPS`.

Nothing is believed but the log's public key, the anchors, and the checkpoint that the caller
brings. Everything is read in one view of the database, page by page: memory does not grow with
the log. What is wrong is named, row by row; nothing is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from avsession.audit import checkpoint as notes
from avsession.audit import merkle, verify_rows
from avsession.audit.absence import SAYING, Absences
from avsession.audit.checkpoint import VerifierKey
from avsession.audit.findings import Finding, Findings, rows
from avsession.audit.merkle import Node
from avsession.audit.verify_accesses import accesses
from avsession.audit.verify_destruction import destructions
from avsession.audit.verify_exports import exports
from avsession.audit.verify_holds import holds
from avsession.audit.verify_leaves import Body, read
from avsession.audit.verify_people import People
from avsession.audit.verify_privacy import privacy
from avsession.audit.verify_recordings import recordings
from avsession.audit.verify_tree import LEVELS, PAGE, Rising, compare
from avsession.audit.verify_withdrawals import withdrawals
from avsession.errors import AvsessionError, CheckpointInvalid
from avsession.ports import Reader
from avsession.records import Leaf, SignedHead, TreeNode

log = logging.getLogger("avsession.audit")

WHAT = 200
"""Characters of what went wrong that nobody thought of."""
MOST_LEAVES = 2**53
"""More leaves than any log has."""

Progress = Callable[[int, int], None]
"""Called with how many leaves are done, and how many there are."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification came to."""

    size: int
    root: str
    """The root over the leaves there are, hex."""
    checkpoints: int
    findings: tuple[Finding, ...]
    counts: dict[int, int]
    """How many findings each step had; ``findings`` keeps at most 100 of each."""

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not any(self.counts.values())


class Kept(msgspec.Struct, frozen=True):
    """A checkpoint from outside the database: an anchor's, or one that the caller brings."""

    name: str
    note: str | None
    """None: there is none, though there should be."""


class _Claim(msgspec.Struct):
    """A root that somebody says the first ``size`` leaves had."""

    step: int
    row: str
    size: int
    root: bytes


async def verify(
    tx: Reader,
    key: VerifierKey,
    findings: Findings,
    *,
    anchors: Sequence[Kept] = (),
    since: Kept | None = None,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Verify the log that ``tx`` reads against its public key and what is kept elsewhere.

    ``findings``: where ``tx`` tells what it cannot read. Raises Unavailable when the database
    cannot be read; everything else is a finding.
    """
    run = _Run(tx, key, findings, progress)
    await run.claims(anchors, since)
    await run.leaves()
    await run.ends()
    found = run.findings
    for name, check in (
        ("rows", verify_rows.backward(tx, run.forward, found, run.size)),
        ("recordings", recordings(tx, found)),
        ("withdrawals", withdrawals(tx, run.people, found)),
        ("certificates", destructions(tx, run.people, found)),
        ("holds", holds(tx, run.absences, run.people, found)),
        ("accesses", accesses(tx, found)),
        ("exports", exports(tx, run.people, found)),
        ("privacy requests", privacy(tx, run.absences, run.people, found)),
    ):
        await to_its_end(name, check, found)
    return Report(
        size=run.size,
        root=run.root.hex(),
        checkpoints=run.heads,
        findings=found.sorted,
        counts=found.count,
    )


async def to_its_end(name: str, check: Awaitable[None], findings: Findings) -> None:
    """Carry a check out. What nobody thought of ends it with a finding, and not the others."""
    try:
        await check
    except AvsessionError:
        raise
    except Exception as error:
        log.exception("a check of the audit log failed")
        findings.add(7, name, f"cannot be checked to the end: {error!r}"[:WHAT])


class _Run:
    """One pass over the log."""

    def __init__(
        self, tx: Reader, key: VerifierKey, findings: Findings, progress: Progress
    ) -> None:
        self.tx, self.key, self.progress = tx, key, progress
        self.findings = findings
        self.absences = Absences()
        self.people = People(tx, self.absences)
        self.forward = verify_rows.Forward(tx, self.absences, self.people, self.findings)
        self.rising = Rising()
        self.size = self.heads = 0
        self.root = merkle.EMPTY_ROOT
        self._waiting: list[_Claim] = []
        self._named = -1  # the newest head that a leaf named so far
        self._good = 0  # the largest size whose signed root is right
        self._bad: list[_Claim] = []  # signed roots after that which are not

    async def claims(self, anchors: Sequence[Kept], since: Kept | None) -> None:
        """Steps 4 and 5, their first half: what is kept elsewhere, with its signature."""
        signed = await self.tx.count(SignedHead)
        for anchor in anchors:
            if anchor.note is not None:
                self._claim(4, anchor.name, anchor.note)
            elif signed:
                self.findings.add(4, anchor.name, "the checkpoint that was kept here is gone")
        if since is not None:
            self._claim(5, since.name, since.note or "")
        for kind in SAYING:
            async for leaf in rows(self.tx, Leaf, "index", kind=kind):
                body, _ = read(leaf)
                if body is not None:
                    self.absences.add(msgspec.structs.asdict(body))

    def _claim(self, step: int, row: str, note: str) -> None:
        try:
            head = notes.verify(note, self.key)
        except CheckpointInvalid as error:
            self.findings.add(step, row, str(error))
            return
        self._waiting.append(_Claim(step, row, head.size, head.root))

    async def leaves(self) -> None:
        """Steps 1, 2, 3, and what leaves commit to of 6 and 7: page by page."""
        total = await self.tx.count(Leaf)
        for leaf in await self.tx.find(Leaf, order="index", below=0, limit=100):
            self.findings.add(1, f"leaf {leaf.index}", "has a number that no leaf can have")
        start = 0
        while True:
            page = await self.tx.find(
                Leaf, order="index", above=start - 1, below=start + PAGE, limit=PAGE
            )
            stored = await self._stored(start)
            hashes, bodies = self._page(start, page, stored)
            for wrong in compare(start, levels := self.rising.grow(hashes), stored):
                self._name(wrong.node, wrong.what)
            self._extra(start, levels, stored)
            await self._above()
            await self._roots(await self._heads(start - (start == 0), start + len(hashes)))
            name = f"leaves {start} to {start + len(hashes) - 1}"
            await to_its_end(name, self.forward.page(bodies), self.findings)
            await self._named_heads(bodies)
            self.size = start + len(hashes)
            self.progress(min(self.size, total), total)
            if len(hashes) < PAGE:
                break
            start += PAGE
        self.root = self.rising.root(self.size)

    async def _stored(self, start: int) -> dict[Node, bytes]:
        """The stored nodes over a page, and any that stand where the page has none."""
        stored = {}
        for level in range(LEVELS + 1):
            first = start >> level
            count = PAGE >> level
            for node in await self.tx.find(
                TreeNode, order="index", level=level, above=first - 1, below=first + count,
                limit=count,
            ):  # fmt: skip
                stored[Node(level, node.index)] = node.hash
        return stored

    def _page(
        self, start: int, page: Sequence[Leaf], stored: dict[Node, bytes]
    ) -> tuple[list[bytes], list[Body]]:
        """The hashes of a page's leaves, and the bodies that are without a doubt their own.

        For a leaf that is gone its stored hash stands in, so that only it is named.
        """
        hashes: list[bytes] = []
        bodies: list[Body] = []
        by_index = {leaf.index: leaf for leaf in page}
        for index in range(start, start + PAGE):
            leaf, node = by_index.pop(index, None), stored.get(Node(0, index))
            if leaf is None:
                if node is None:
                    break
                self.findings.add(1, f"leaf {index}", "is gone")
                hashes.append(node)
                continue
            body, wrong = read(leaf)
            for what in wrong:
                self.findings.add(1, f"leaf {index}", what)
            hashes.append(merkle.leaf_hash(leaf.data))
            if body is not None and body.index == index:
                bodies.append(body)
        for index in by_index:
            self.findings.add(1, f"leaf {index}", "stands after a hole")
        return hashes, bodies

    def _name(self, node: Node, what: str) -> None:
        if what == "leaf":
            self.findings.add(2, f"leaf {node.number}", "is not the one that was logged")
        else:
            text = "is gone" if what == "missing" else "is not the hash of what is below it"
            self.findings.add(2, f"tree_node {node.level}/{node.number}", text)

    def _extra(self, start: int, levels: list[list[bytes]], stored: dict[Node, bytes]) -> None:
        for level, number in stored:
            there = len(levels[level]) if level < len(levels) else 0
            if number - (start >> level) >= there:
                self.findings.add(2, f"tree_node {level}/{number}", "is over no leaves")

    async def _above(self) -> None:
        """The stored nodes over several pages."""
        risen = self.rising.above()
        found = await self.tx.get_all(TreeNode, [node for node, _ in risen])
        for (node, right), row in zip(risen, found, strict=True):
            if row is None or row.hash != right:
                self._name(node, "missing" if row is None else "changed")
                return  # those above it follow from it

    async def _heads(self, above: int, most: int) -> list[_Claim]:
        """Stored checkpoints with more than ``above`` leaves and at most ``most``; step 3."""
        claims = []
        # a page more than there can be at most: each size stands there once
        for row in await self.tx.find(
            SignedHead, order="size", above=above, below=most + 1, limit=PAGE + 1
        ):
            self.heads += 1
            name = f"checkpoint {row.size}"
            try:
                head = notes.verify(row.note, self.key)
            except CheckpointInvalid as error:
                self.findings.add(3, name, str(error))
                continue
            if head.size != row.size:
                self.findings.add(3, name, f"its note is over {head.size} leaves")
                continue
            claims.append(_Claim(2, name, head.size, head.root))
        return claims

    async def _named_heads(self, bodies: Sequence[Body]) -> None:
        """The heads that these leaves name are there. Step 3."""
        named = {}
        for body in bodies:
            for size in body.heads or ():
                if self._named < size < MOST_LEAVES:
                    named[size] = body.index
                    self._named = size
        found = await self.tx.get_all(SignedHead, [(size,) for size in named])
        for (size, index), row in zip(named.items(), found, strict=True):
            if row is None:
                what = f"is gone, though leaf {index} names it"
                self.findings.add(3, f"checkpoint {size}", what)

    async def _roots(self, claims: list[_Claim]) -> None:
        """Compare the claims that this page reaches with the recomputed roots."""
        size = self.rising.size
        here = [one for one in self._waiting if one.size <= size]
        self._waiting = [one for one in self._waiting if one.size > size]
        for one in sorted([*claims, *here], key=lambda claim: claim.size):
            right = self.rising.root(one.size) == one.root
            if one.step != 2:
                if not right:
                    text = f"the first {one.size} leaves are not those that it was signed over"
                    self.findings.add(one.step, one.row, text)
                elif one.size and await self.tx.get(SignedHead, one.size) is None:
                    # a head is stored before anybody sees it
                    text = f"is gone, though {one.row} holds it"
                    self.findings.add(3, f"checkpoint {one.size}", text)
            elif right:
                self._forks(one)
            else:
                self._bad.append(one)
                del self._bad[1000:]

    def _forks(self, good: _Claim) -> None:
        """A later head is right, so those before it that are not speak of another history."""
        for one in self._bad:
            self.findings.add(2, one.row, "is signed over another history: the log was forked")
        self._bad, self._good = [], good.size

    async def ends(self) -> None:
        """What is left: heads over more than there is, nodes over nothing, changed history."""
        if self._bad:
            first = self._bad[0]
            more = f", and {len(self._bad) - 1} later ones" if len(self._bad) > 1 else ""
            text = (
                f"leaves {self._good} to {first.size - 1} are not those that it was signed over"
                f"{more}"
            )
            self.findings.add(2, first.row, text)
        for claim in self._waiting:
            text = f"was signed over {claim.size} leaves, and there are {self.size}"
            self.findings.add(claim.step, claim.row, text)
        for head in await self.tx.find(SignedHead, order="size", above=self.size, limit=100):
            text = f"was signed over more leaves than the {self.size} there are"
            self.findings.add(2, f"checkpoint {head.size}", text)
        last = self.size // PAGE * PAGE + PAGE - 1
        for leaf in await self.tx.find(Leaf, order="index", above=last, limit=100):
            self.findings.add(1, f"leaf {leaf.index}", "stands after a hole")
        await self._strays()

    async def _strays(self) -> None:
        """Nodes at places that no page looked at."""
        end = self.size // PAGE * PAGE + PAGE
        tops = [
            (level, end >> level if level <= LEVELS else self.size >> level) for level in range(64)
        ]
        for level, count in tops:
            for where in ({"above": count - 1}, {"below": 0}):
                for node in await self.tx.find(
                    TreeNode, order="index", level=level, limit=100, **where
                ):
                    self._name_stray(node)
        for where in ({"above": 63}, {"below": 0}):
            for node in await self.tx.find(TreeNode, order="level", limit=100, **where):
                self._name_stray(node)

    def _name_stray(self, node: TreeNode) -> None:
        self.findings.add(2, f"tree_node {node.level}/{node.index}", "is over no leaves")
