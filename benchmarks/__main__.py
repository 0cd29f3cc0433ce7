"""What can be measured here: python -m benchmarks."""

from __future__ import annotations

from pathlib import Path


def main() -> None:
    """List the measurements with what each says of itself."""
    for script in sorted(Path(__file__).parent.glob("*/run.py")):
        print(f"python -m benchmarks.{script.parent.name}.run")
        print("   " + script.read_text().split('"""')[1].splitlines()[0])


if __name__ == "__main__":
    main()
