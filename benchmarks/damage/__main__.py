"""python -m benchmarks.damage."""

from benchmarks.damage.run import main

main()
