#!/usr/bin/env bash
# The wheel as a user has it: built, installed into an empty virtual environment, and used by pytest; and the tests of its
# README and of the README of all.
#
#   packages/python/check.sh DIRECTORY    where the programs are: what packages/programs.sh prints
set -euo pipefail
programs=$(cd "$1" && pwd)
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPYCACHEPREFIX="$work/pycache" PIP_DISABLE_PIP_VERSION_CHECK=1
"${PYTHON:-python3}" -m venv "$work/venv"
python="$work/venv/bin/python"

SOLME_PROGRAMS="$programs" "$python" -m pip wheel --quiet --no-deps --wheel-dir "$work/dist" .
"$python" -m pip install --quiet "$work"/dist/mock_solme-*.whl
"$python" -m pip install --quiet --requirement requirements.txt
ls -l "$work/dist"

# Not the sources beside it: what is tested is what was installed.
cp -r tests "$work/tests"
python_of() { sed -n '/^```python$/,/^```$/p' "$1" | grep -v '^```'; }
python_of README.md >"$work/tests/test_readme.py"
python_of ../../README.md >"$work/tests/test_readme_of_all.py"
cd "$work"
export PATH="$work/venv/bin:$PATH"
"$python" -m pytest --quiet -p no:cacheprovider tests
# An answer of the admin API is as its own tests say: it is not checked again.
"$python" -m mypy --strict --no-warn-return-any --package mock_solme
