"""python -m benchmarks.two_stage."""

from benchmarks.two_stage.run import main

main()
