from reports.pages.best_methods import best_methods
from reports.table import Entry, Row, Table, TableColumn


def table(*columns):
    """A table whose columns have these rank groups, one for each of the methods a, b, c and so on."""
    return Table(
        name="t",
        title="T",
        caption=(),
        stub="Method",
        columns=tuple(TableColumn(f"c{index}", f"C{index}", "%", "up") for index in range(len(columns))),
        rows=tuple(
            Row(label, tuple(Entry(mean=1.0, group=groups[place]) for groups in columns))
            for place, label in enumerate("abcdefghij"[: len(columns[0])])
        ),
    )


def test_the_first_group_is_named_unless_all_methods_are_in_it():
    found = dict(best_methods(table((0, 1, 0), (0, 0, 0), (2, 1, 0))))
    assert found == {"C0 % ↑": "a, c", "C1 % ↑": "no method can be distinguished from the best", "C2 % ↑": "c"}


def test_columns_without_groups_and_lonely_ranks_are_left_out():
    assert not list(best_methods(table((None, None, None), (0, None, None))))
    assert dict(best_methods(table((None, 0, 1)))) == {"C0 % ↑": "b"}


def test_of_many_methods_those_are_named_that_are_fewer():
    found = dict(best_methods(table((0,) * 7 + (1, 1, 2), (0,) * 7 + (None, 1, 2), (0,) * 6 + (1,) * 4)))
    assert list(found.values()) == ["a, b, c, d, e, f, g", "all but i, j", "a, b, c, d, e, f"]
