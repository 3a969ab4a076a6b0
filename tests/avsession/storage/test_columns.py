"""How a column is made."""

from sqlalchemy import BigInteger

from avsession.storage.columns import ID, column


def test_a_field_that_is_a_word_of_sql_has_another_name_in_the_database() -> None:
    made = column("by", ID, "account.id", null=True)
    assert (made.key, made.name, made.nullable) == ("by", "asked_by", True)
    (foreign,) = made.foreign_keys
    assert foreign.deferrable
    assert not column("index", BigInteger, key=True).nullable
