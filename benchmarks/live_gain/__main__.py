"""python -m benchmarks.live_gain."""

from remora.wiring.cluster import quiet, use_token

if __name__ == "__main__":
    quiet()
    use_token()  # before anything imports Ray
    from benchmarks.live_gain.run import main

    main()
