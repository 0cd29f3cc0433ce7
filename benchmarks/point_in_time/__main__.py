"""python -m benchmarks.point_in_time."""

from benchmarks.point_in_time.run import main

main()
