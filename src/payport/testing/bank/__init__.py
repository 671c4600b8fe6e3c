"""An in-memory bank: one engine, which providers and simulators give a face."""
