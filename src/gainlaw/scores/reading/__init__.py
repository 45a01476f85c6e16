"""Reading what people give us: bytes -> text cells -> numbers, each fault with its column and lines."""
