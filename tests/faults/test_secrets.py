"""Who gets the data folder, the temporary folder or the log finds no secret that was handed out."""

from __future__ import annotations

import asyncio
import stat
import sys

from avsession.canonical import unb64
from tests.faults.outside import Outside, agree
from tests.faults.taken import Worker

PASSWORD = "correct horse battery staple"
NAMES = ("Cleo Customer", "Agnes Amtmann", "agnes.a")


async def test_no_secret_lies_in_plain(out: Outside) -> None:
    product = out.product
    words = ("agent", "create", "--login", "agnes.a", "--name", "Agnes Amtmann", "--password-stdin")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "avsession", *words, "--data", str(product.data)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    await process.communicate(f"{PASSWORD}\n".encode())
    assert process.returncode == 0
    body = {"login": "agnes.a", "password": PASSWORD}
    _, _, response = await out.request("POST", "/api/sign-in", json=body)
    agent = f"__Host-staff={response.cookies['__Host-staff'].value}"
    one, other = await out.call(agent)
    worker = Worker(out)
    await worker.join()
    await agree(one, other)
    await worker.granted()
    await worker.begin()
    await worker.store(one, other)
    unused = [link.partition("#")[2] for link in product.links.values() if "#" in link]
    secrets = [
        await one.ticket(),
        other.data_secret,
        *(cookie.partition("=")[2] for cookie in (one.cookie, other.cookie)),
        *unused,
    ]
    assert all(len(unb64(secret)) == 32 for secret in secrets)
    needles = [PASSWORD.encode(), b"spoken spoken"]
    for secret in secrets:
        needles += [secret.encode(), unb64(secret), unb64(secret).hex().encode()]
    files = [
        path
        for folder in (product.data, product.temporary)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert product.segments(), "there is something to find"
    for path in [*files, product.log]:
        data = path.read_bytes()
        assert not [needle for needle in needles if needle in data], path
    for path in (product.data, *product.data.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        ours = worker.spool not in (path, *path.parents)
        assert mode & 0o077 == 0 or not ours, (path, oct(mode))
    leaves = product.rows("select data from leaf")
    said = b"\n".join(bytes(leaf["data"]) for leaf in leaves) + product.log.read_bytes()
    assert not [name for name in NAMES if name.encode() in said]
