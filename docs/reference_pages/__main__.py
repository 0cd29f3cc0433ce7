"""`python -m docs.reference_pages`: write every reference page that is made from the code."""

from __future__ import annotations

from docs.reference_pages.table import FOLDER, PAGES


def main() -> None:
    """Write the pages, and name each that changed."""
    for name, page in PAGES.items():
        file, text = FOLDER / name, page()
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            print(file)


if __name__ == "__main__":
    main()
