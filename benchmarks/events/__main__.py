"""python -m benchmarks.events."""

from benchmarks.events.run import main

main()
