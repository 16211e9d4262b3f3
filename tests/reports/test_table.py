import pytest

from reports.table import Column, Entry, Row, Table


def test_a_row_must_fill_every_column():
    with pytest.raises(ValueError, match="row 'sdi': 1 entries for 2 columns"):
        Table("t", "T", (), "Method", (Column("a", "a"), Column("b", "b")), (Row("sdi", (Entry(),)),))


def test_keys_are_unique():
    with pytest.raises(ValueError, match="two columns share a key"):
        Table("t", "T", (), "Method", (Column("a", "a"), Column("a", "b")), ())


def test_a_rows_own_columns_are_the_tables():
    with pytest.raises(ValueError, match="row 'sdi': its own columns are not the table's"):
        Table("t", "T", (), "", (Column("a", "a"),), (Row("sdi", (Entry(),), columns=(Column("b", "b"),)),))
