"""The provider boundary: what an adapter implements, and what runs it. One folder per processor."""
