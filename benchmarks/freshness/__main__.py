"""python -m benchmarks.freshness."""

from benchmarks.freshness.run import main

main()
