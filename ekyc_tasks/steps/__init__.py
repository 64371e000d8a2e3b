"""The way of one batch, a file a step."""
