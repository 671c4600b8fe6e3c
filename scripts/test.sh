#!/bin/sh
# Run the whole suite on two cores: the parts whose branch coverage is gated under coverage, and
# beside them those of the testing kit and its contracts, which are many and gate no coverage.
set -u
python=.venv/bin/python
log=build/test-kit.log
mkdir -p build

kit="tests/storage tests/fidelity tests/test_demo.py tests/test_examples.py"
kit="$kit tests/testing tests/test_docs.py tests/test_provider_docs.py tests/test_mutants.py"
kit="$kit tests/test_example_adapter.py tests/test_adapter_docs.py"
kit="$kit tests/integrations tests/providers/stripe/test_stripe_contract.py"
kit="$kit tests/providers/stripe/test_stripe_socket_contract.py"
kit="$kit tests/providers/adyen/test_adyen_contract.py"
kit="$kit tests/providers/adyen/test_adyen_socket_contract.py"
kit="$kit tests/webhooks/test_real_webhook_kills.py tests/webhooks/test_copies_at_once.py"
kit="$kit tests/webhooks/test_inbox_convergence.py tests/webhooks/test_hints.py tests/cli/test_signals.py"
ignored=""
for part in $kit; do ignored="$ignored --ignore=$part"; done

# shellcheck disable=SC2086 - lists of words, without spaces in them
$python -m pytest -q -p no:cacheprovider $kit >"$log" 2>&1 &
kit_run=$!
trap 'kill $kit_run 2>/dev/null' INT TERM
# shellcheck disable=SC2086
$python -m coverage run -m pytest $ignored
gated=$?
wait $kit_run
ungated=$?

echo
echo "The testing kit:"
if [ $ungated -eq 0 ]; then tail -n 1 "$log"; else cat "$log"; fi
[ $gated -eq 0 ] && [ $ungated -eq 0 ]
