"""The actions of the contract of executors, which copies them into a folder of its own."""
