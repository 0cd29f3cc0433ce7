"""python -m benchmarks.training."""

from benchmarks.training.run import main

main()
