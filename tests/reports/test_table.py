import pytest

from reports.table import Entry, Row, Table, TableColumn


def test_a_row_must_fill_every_column():
    with pytest.raises(ValueError, match="row 'sdi': 1 entries for 2 columns"):
        Table("t", "T", (), "Method", (TableColumn("a", "a"), TableColumn("b", "b")), (Row("sdi", (Entry(),)),))


def test_keys_are_unique():
    with pytest.raises(ValueError, match="two columns share a key"):
        Table("t", "T", (), "Method", (TableColumn("a", "a"), TableColumn("a", "b")), ())


def test_a_rows_own_columns_are_the_tables():
    with pytest.raises(ValueError, match="row 'sdi': its own columns are not the table's"):
        Table("t", "T", (), "", (TableColumn("a", "a"),), (Row("sdi", (Entry(),), columns=(TableColumn("b", "b"),)),))
