"""The views of pages: what each of them shows, read from a store; no HTTP and no HTML here."""
