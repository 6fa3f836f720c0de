"""The pack of the developers' benchmarks."""
