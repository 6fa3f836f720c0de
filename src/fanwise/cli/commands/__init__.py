"""The commands of `fanwise`: a file for each."""
