"""python -m benchmarks.ranking."""

from benchmarks.ranking.run import main

main()
