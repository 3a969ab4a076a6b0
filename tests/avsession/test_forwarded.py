"""Who asks: forwarded headers count as far as our own proxies go, and no further."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.forwarded import MOST_HOPS, Header, Proxies, Seen

TRUSTED = ("10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")
PROXY, STRANGER = "10.0.0.1", "203.0.113.9"


def seen(peer: str, header: Header = "x-forwarded", **said: str | list[str]) -> Seen:
    """What a request with these headers (underscores for dashes) comes to."""
    values = {
        name.replace("_", "-").lower(): [text] if isinstance(text, str) else text
        for name, text in said.items()
    }
    return Proxies(TRUSTED, header).seen(peer, lambda name: values.get(name.lower(), []))


@pytest.mark.parametrize("peer", [STRANGER, "2001:db8:2::1", "", "unix", "127.0.0.2"])
@pytest.mark.parametrize("header", ["x-forwarded", "forwarded"])
def test_a_stranger_says_nothing_about_itself(peer: str, header: Header) -> None:
    said = seen(
        peer,
        header,
        X_Forwarded_For="127.0.0.1",
        X_Forwarded_Proto="https",
        Forwarded="for=127.0.0.1;proto=https",
    )
    assert said == Seen(peer)


@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the left one is the client's own word
        ("1.1.1.1, 203.0.113.9, 10.2.3.4", "203.0.113.9"),  # two proxies of ours
        ("10.9.9.9, 10.2.3.4", "10.9.9.9"),  # all ours: the furthest
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        (["1.1.1.1", "203.0.113.9"], "203.0.113.9"),  # two headers are one list
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8:2::7]:4711", "2001:db8:2::7"),
        ("2001:db8:2::7", "2001:db8:2::7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, unknown", PROXY),
        ("1.1.1.1, garbage, 10.2.3.4", "10.2.3.4"),
        ("1.1.1.1,", PROXY),
        ("", PROXY),
        ([], PROXY),
        (", ".join(["1.1.1.1"] + ["10.0.0.2"] * MOST_HOPS), "10.0.0.2"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_of_ours(
    forwarded_for: str | list[str], address: str
) -> None:
    assert seen(PROXY, X_Forwarded_For=forwarded_for).address == address
    # a mapped address is the same peer
    assert seen(f"::ffff:{PROXY}", X_Forwarded_For="203.0.113.9").address == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "address", "scheme"),
    [
        ("for=203.0.113.9;proto=https", "203.0.113.9", "https"),
        ("for=1.1.1.1;proto=http, for=203.0.113.9;proto=https", "203.0.113.9", "https"),
        ('For="[2001:db8:2::7]:4711" ; Proto=HTTPS', "2001:db8:2::7", "https"),
        ('for=1.1.1.1, for="_secret"', PROXY, None),
        ("for=1.1.1.1, for=unknown;proto=http", PROXY, "http"),
        ("for=203.0.113.9;proto=https, for=10.2.3.4;by=10.0.0.1", "203.0.113.9", "https"),
        (["for=1.1.1.1", "for=203.0.113.9"], "203.0.113.9", None),
        ('for=1.1.1.1, for="203.0.113.9', PROXY, None),  # an open quote swallows what follows
        ("proto=https", PROXY, "https"),
        ("203.0.113.9", PROXY, None),
    ],
)
def test_rfc_7239(forwarded: str | list[str], address: str, scheme: str | None) -> None:
    assert seen(PROXY, "forwarded", Forwarded=forwarded) == Seen(address, scheme)


def test_only_the_one_header_that_the_proxies_set_is_read() -> None:
    spoofed = {"X_Forwarded_For": "1.1.1.1", "X_Forwarded_Proto": "http"}
    honest = "for=203.0.113.9;proto=https"
    assert seen(PROXY, "forwarded", Forwarded=honest, **spoofed) == Seen("203.0.113.9", "https")
    x_forwarded = seen(PROXY, X_Forwarded_For="203.0.113.9", Forwarded="for=1.1.1.1")
    assert x_forwarded.address == "203.0.113.9"


def test_the_nearest_proxy_says_the_scheme() -> None:
    assert seen(PROXY, X_Forwarded_Proto="http, https").scheme == "https"
    both = seen(PROXY, X_Forwarded_For="1.1.1.1, 10.2.3.4", X_Forwarded_Proto=["https", "http"])
    assert both == Seen("1.1.1.1", "http")


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="not-an-address"):
        Proxies(("not-an-address",))


@given(text=st.text(max_size=300), header=st.sampled_from(["x-forwarded", "forwarded"]))
def test_nothing_that_is_sent_breaks_it(text: str, header: Header) -> None:
    found = seen(PROXY, header, X_Forwarded_For=text, Forwarded=text, X_Forwarded_Proto=text)
    assert found.address
