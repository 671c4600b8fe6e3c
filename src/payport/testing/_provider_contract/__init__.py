"""The groups of `payport.testing.provider_contract.ProviderContract`, and what they stand on."""
