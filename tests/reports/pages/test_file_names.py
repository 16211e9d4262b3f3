import re

from hypothesis import example, given
from hypothesis import strategies as st

from reports.pages.file_names import file_names

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def test_plain_ids_keep_their_names():
    assert file_names(["blue-duck", "sdi-64-0"]) == {"blue-duck": "blue-duck", "sdi-64-0": "sdi-64-0"}


@given(st.lists(st.text(max_size=90), unique=True))
@example(["A", "a", "á", "..", "../a", "con", "CON", "", " ", "a.", "a" * 300, "a" * 301, "\ud800"])
def test_names_are_safe_and_never_shared(ids):
    names = file_names(ids)
    assert len({name.lower() for name in names.values()}) == len(ids)
    assert all(NAME.fullmatch(name) for name in names.values())
    assert "con" not in names.values()


@given(st.text())
def test_a_name_of_another_id_is_not_kept_by_an_id_that_looks_like_it(text):
    (name,) = file_names([text]).values()
    if name != text:
        assert file_names([name])[name] != name
