"""The folder of the workflows that are tortured, with their actions."""
