"""GUIDE.md as a program reads it, and a machine of its own to follow it on.

The machine is this one seen through an overlay in memory, in namespaces of its own: what is
installed stays, what is written is gone at the end with every process. What it stands in for is
written in ``HOST``: the package manager, the download of the locked dependencies, and systemd.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "avsession" / "GUIDE.md"
UNITS = ROOT / "avsession" / "units"
ADDRESS = "45.90.10.10"
"""Of the machine that walks: a public one, since coturn relays to no other. Nothing leaves it."""

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def section(heading: str) -> str:
    """The text under a heading of the second level, to the next one."""
    text = FILE.read_text("utf-8")
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def blocks(text: str) -> list[str]:
    """The commands in it, a text for each block."""
    return _BLOCK.findall(text)


def lines(text: str) -> list[list[str]]:
    """Each command of a block as its words; what is written into files and comments left out."""
    text = re.sub(r"<<END\n.*?^END$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = text.replace("\\\n", " ")
    return [words for line in text.splitlines() if (words := shlex.split(line, comments=True))]


def files(text: str) -> dict[str, str]:
    """What is written into files with ``cat``, by their path; variables as they stand."""
    found = re.findall(r"^cat > (\S+) <<END\n(.*?)^END$", text, re.MULTILINE | re.DOTALL)
    return dict(found)


NAMESPACES = r"""
set -eu
mount -t tmpfs none "$PLACE"
mkdir "$PLACE/up" "$PLACE/work" "$PLACE/all"
mount -t overlay none -o "lowerdir=/,upperdir=$PLACE/up,workdir=$PLACE/work" "$PLACE/all"
cd "$PLACE/all"
mount -t proc none proc
mount --rbind /dev dev
mount -t tmpfs -o mode=1777 none tmp
mount -t tmpfs -o mode=755 none run
seen() {  # a folder of here at a place there, to which every user may walk
    mkdir -p "$PLACE/all$2"
    mount --bind "$1" "$PLACE/all$2"
    way=$2
    while [ "$way" != / ]; do way=$(dirname "$way"); chmod a+x "$PLACE/all$way"; done
}
seen "$BASE" "$BASE"
seen "$PREFIX" /srv/python
seen "$ROOT" /srv/avsession
exec chroot . /bin/bash -c "$SCRIPT"
"""

HOST = r"""
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
ip link set lo up
ip address add "$ADDRESS/32" dev lo
printf '127.0.0.1 localhost\n%s calls.example.com turn.example.com\n' "$ADDRESS" > /etc/hosts
export CURL_CA_BUNDLE=/path/to/fullchain.pem
mkdir -p /path/to /etc/systemd/system /var/log/units
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=calls.example.com -addext subjectAltName=DNS:calls.example.com,DNS:turn.example.com \
    -keyout /path/to/privkey.pem -out /path/to/fullchain.pem 2> /dev/null
# a fresh machine has none of these
rm -rf /etc/avsession /var/lib/avsession* /opt/avsession /usr/local/bin/avsession

git() { test -f /srv/avsession/docker-compose.yml; }
apt-get() {
    [ "$1" = install ] || return 0
    rm -rf /etc/postgresql/*/main /var/lib/postgresql/*/main
    version=$(ls /usr/lib/postgresql | sort -n | tail -n 1)
    pg_createcluster "$version" main -- --no-sync > /dev/null
    pg_ctlcluster "$version" main start  # as the package does
}
python3() {  # -m venv FOLDER
    mkdir -p "$3/bin"
    cat > "$3/bin/pip" <<'END'
#!/bin/sh
for last in "$@"; do :; done
test -e "$last"
END
    cat > "$3/bin/avsession" <<END
#!/bin/sh
export PYTHONPATH=/srv/avsession PYTHONDONTWRITEBYTECODE=1
export SSL_CERT_FILE=/path/to/fullchain.pem
exec /srv/python/bin/python -m avsession "\$@"
END
    chmod 755 "$3/bin/pip" "$3/bin/avsession"
}

# systemd: a unit's command, as its user, with what it may write and what it does not see
value() { sed -n "s/^$1=//p" "$unit" | tr '\n' ' ' | sed 's/ *$//'; }
systemctl() {
    [ "$1 ${2-}" != "enable nginx" ] && [ "$1" != daemon-reload ] || return 0
    shift
    local one
    for one in "$@"; do
        case $one in
            --now) ;;
            postgresql) pg_ctlcluster "$version" main status > /dev/null ;;
            nginx) nginx ;;
            *) begin "$one" ;;
        esac
    done
}
begin() {
    local unit user group made net kept hidden strict
    unit=/etc/systemd/system/$1.service
    [ -e "$unit" ] || unit=/lib/systemd/system/$1.service
    user=$(value User) group=$(value Group) made=$(value RuntimeDirectory) net=
    kept=$(value ReadWritePaths) hidden=$(value InaccessiblePaths)
    if [ -n "$made" ]; then
        install -d -o "$user" -g "$group" -m "$(value RuntimeDirectoryMode)" "/run/$made"
        kept="$kept /run/$made"
    fi
    [ "$(value PrivateNetwork)" != yes ] || net=--net
    export kept hidden strict="$(value ProtectSystem)"
    # shellcheck disable=SC2016
    unshare --mount $net /bin/bash -c '
        set -eu
        if [ "$strict" = strict ]; then
            for one in $kept; do mount --bind "$one" "$one"; done
            mount -t tmpfs -o mode=1777 none /tmp
        fi
        for one in $hidden; do
            if [ ! -e "${one#-}" ] && [ "${one#-}" != "$one" ]; then continue; fi
            if [ -d "${one#-}" ]; then mount -t tmpfs -o mode=0 none "${one#-}"; continue; fi
            mount --bind /var/log/units/nothing "${one#-}"
        done
        if [ "$strict" = strict ]; then mount -o remount,bind,ro /; fi
        exec setpriv --reuid "$0" --regid "$1" --clear-groups --no-new-privs "${@:2}"
    ' "$user" "$group" $(value ExecStart) > "/var/log/units/$1.log" 2>&1 &
}
install -m 0 /dev/null /var/log/units/nothing
trap 'code=$?; [ $code = 0 ] || tail -v -n 20 /var/log/units/*.log >&2; exit $code' EXIT
"""


def walk(script: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as root of a fresh machine, its programs installed; needs root.

    ``place``: an empty folder. Whatever the script starts has ended when this returns.
    """
    (place / "machine").mkdir()
    return subprocess.run(
        [
            *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"),
            "bash",
            "-c",
            NAMESPACES,
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PLACE": str(place / "machine"),
            "ROOT": str(ROOT),
            "PREFIX": sys.prefix,
            "BASE": sys.base_prefix,
            "ADDRESS": ADDRESS,
            "SCRIPT": HOST + script,
        },
    )
