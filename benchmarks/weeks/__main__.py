"""python -m benchmarks.weeks."""

from benchmarks.weeks.run import main

main()
