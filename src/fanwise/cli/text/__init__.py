"""Text for people: tables, pictures and lines, and the streams that take them."""
