"""What simulators of processors share: how requests arrive and webhooks leave, and nothing else."""
