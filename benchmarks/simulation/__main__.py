"""python -m benchmarks.simulation."""

from benchmarks.simulation.run import main

main()
