"""From declared steps to runs: what would run and why, the runs and their records, and who is alerted."""
