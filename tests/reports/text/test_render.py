import pytest

from reports.text.render import render_text
from reports.text.words import TextError


@pytest.fixture
def data(numbers, tmp_path):
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    for name, content in numbers.data.files().items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder.parent


def rendered(text, data, tmp_path):
    (tmp_path / "texts").mkdir(exist_ok=True)
    template = tmp_path / "texts" / "a.md.j2"
    template.write_text(text, encoding="utf-8")
    return render_text(template, data)


def test_a_text_has_the_numbers_of_its_study(numbers, data, tmp_path):
    words = 'SDS has\n{{ s.mean("quality", "sds") }} % on {{ word(s.prompts) }} prompts.'
    template = f'{{% set s = study("toy") %}}\n# Title\n\n{words}\n'
    made = rendered(template, data, tmp_path)
    assert made == (
        "<!-- Made from texts/a.md.j2 by: python -m reports.text -->\n\n"
        f"# Title\n\nSDS has {numbers.mean('quality', 'sds')} % on eight prompts.\n"
    )


def test_a_text_has_the_rows_of_a_file(data, tmp_path):
    (data / "m.csv").write_text("name,error\na,0.25\nb,\n")
    text = '{% for row in rows("m") %}\n{{ row.name }} {{ row.error }},\n{% endfor %}\n'
    assert rendered(text, data, tmp_path).endswith("\na 0.25, b nan,\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ x }}", "'x' is undefined"),
        ('{{ rows("other") }}', "No such file"),
        ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
        ("{{ span([]) }}", "ValueError"),
        ("{% if %}", "Expected an expression"),
        ('{{ study("other") }}', "cannot be read as the data of a report"),
        ('{{ study("toy").mean("colour", "sds") }}', "'colour' is not a score"),
        ('{{ study("toy").mean("clip_score", "vsd") }}', "method 'vsd' is not one of"),
        ('{% do holds(1 > 2, "one is more") %}', "it does not hold that one is more"),
        (
            '{{ study("toy").difference("clip_score", "sds", "csd").more_by }}',
            "more is said, but the difference is −2.30",
        ),
        ('{{ study("toy").mean("clip_score") }}', "missing 1 required positional argument"),
    ],
)
def test_a_text_that_is_not_right_is_refused(data, tmp_path, text, reason):
    with pytest.raises(TextError, match=reason) as caught:
        rendered(text, data, tmp_path)
    assert str(caught.value).startswith("a.md.j2: ")
