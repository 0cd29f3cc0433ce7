"""python -m benchmarks.faults."""

from benchmarks.faults.run import main

main()
