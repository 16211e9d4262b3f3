"""Another installed package, as far as importlib.metadata and imports see it: its metadata and one module."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, name: str, module: str, entries: dict[str, str]) -> None:
    """Put the package ``name`` 1.2 with one module into a folder on the path.

    Args:
        folder: The folder.
        name: Name of the package; its module has it with underscores.
        module: Text of the module.
        entries: What the package adds: the name of the thing in the module, by "GROUP: NAME".
    """
    stem = name.replace("-", "_")
    metadata = folder / f"{stem}-1.2.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{stem}.py").write_text(module, encoding="utf-8")
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8")
    lines = []
    for key, thing in entries.items():
        group, _, entry = key.partition(": ")
        lines += [f"[{group}]", f"{entry} = {stem}:{thing}"]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
