#!/bin/sh
# Run the whole suite on two cores, in three parts at once: the packages whose branch coverage is
# gated, under coverage; the testing kit, its contracts and the stores; and everything else. Three,
# because tests of processes, timeouts and databases wait more than they compute.
set -u
python=.venv/bin/python
mkdir -p build

contracts="tests/providers/stripe/test_stripe_contract.py tests/providers/stripe/test_stripe_socket_contract.py"
contracts="$contracts tests/providers/adyen/test_adyen_contract.py"
contracts="$contracts tests/providers/adyen/test_adyen_socket_contract.py"
gated="tests/domain tests/providers tests/operations tests/client"
gated="$gated tests/webhooks/test_receiving.py tests/webhooks/test_processing.py tests/webhooks/test_workers.py"
kit="tests/testing tests/storage $contracts"

# What a test prints is caught at sys.stdout, not at the descriptor: with tens of thousands of
# tests, turning descriptors round for each takes longer than some of the tests.
quick="-q -p no:cacheprovider --capture=sys"

without() {
    for part in "$@"; do printf -- '--ignore=%s ' "$part"; done
}

# shellcheck disable=SC2046,SC2086 - lists of words, without spaces in them
{
    $python -m pytest $quick $kit >build/test-kit.log 2>&1 &
    kit_run=$!
    $python -m pytest $quick $(without $gated $kit) >build/test-rest.log 2>&1 &
    rest_run=$!
    trap 'kill $kit_run $rest_run 2>/dev/null' INT TERM
    $python -m coverage run -m pytest $quick $gated $(without $contracts)
    failed=$?
}

told() {  # the log of a part, whole if it failed
    wait "$2"
    status=$?
    echo
    echo "$3:"
    if [ $status -eq 0 ]; then tail -n 1 "$1"; else cat "$1"; failed=1; fi
}

told build/test-kit.log $kit_run "The testing kit, its contracts and the stores"
told build/test-rest.log $rest_run "Webhooks, frameworks, the command line, examples and pages"
[ $failed -eq 0 ]
