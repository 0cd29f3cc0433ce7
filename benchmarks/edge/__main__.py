"""python -m benchmarks.edge."""

from benchmarks.edge.run import main

main()
