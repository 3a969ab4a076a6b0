"""A column's name, key and constraint."""

from sqlalchemy import BigInteger

from avsession.storage.columns import WORD, column


def test_a_word_of_sql_is_a_key_but_no_name() -> None:
    for field in ("index", "by", "right"):
        made = column(field, WORD)
        assert (made.key, made.name == field) == (field, False)
    assert column("state", WORD).name == "state"


def test_a_number_of_ours_is_never_the_databases() -> None:
    made = column("index", BigInteger, key=True)
    assert (made.primary_key, made.autoincrement) == (True, False)


def test_what_it_refers_to_is_checked_at_commit() -> None:
    (key,) = column("party", WORD, "party.id").foreign_keys
    assert (key.deferrable, key.initially) == (True, "DEFERRED")
