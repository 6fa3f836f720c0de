"""The demos: folders of workflows with what they need to run on real input, for `fanwise demo`."""
