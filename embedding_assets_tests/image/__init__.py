"""The image without Docker: `make test-image`."""
