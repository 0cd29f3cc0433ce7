"""python -m benchmarks.swaps."""

from benchmarks.swaps.run import main

main()
