"""python -m benchmarks.contract."""

from benchmarks.contract.run import main

main()
