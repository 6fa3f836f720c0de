"""The benchmarks' pack: the folder that their runs are given with `packs`."""
