# The commands of CONTRIBUTING.md, by name. `just` is in the dev group: .venv/bin/just --list

# Create .venv with all that development needs
install:
    python3 -m venv .venv && .venv/bin/pip install -q uv && .venv/bin/uv pip install -q -p .venv -e '.[report]' --group dev

# Run what has to pass before a change is merged
ci:
    .ci/run

# Run the tests of some files, or all of them
test *files:
    .venv/bin/python -m pytest {{ files }}

# Run the tests that take minutes by nature
nightly:
    .venv/bin/python -m pytest -m nightly

# Run the tests with the coverage
coverage:
    .venv/bin/python -m pytest --cov

# Check and format the code
format:
    .venv/bin/ruff check . && .venv/bin/ruff format .

# Check the types
types:
    .venv/bin/mypy

# Run every check but the tests: lint, format, types, imports, YAML
check:
    .venv/bin/pre-commit run --all-files

# Run those checks at each commit
hooks:
    .venv/bin/pre-commit install

# Start the sandbox on port 8765
sandbox:
    .venv/bin/python -m sandbox serve

# Run the FOCUS validator
focus:
    .venv/bin/python -m focus_check

# Measure the tap
benchmarks:
    .venv/bin/python -m benchmarks

# Measure the forecast
benchmarks-forecast:
    .venv/bin/python -m benchmarks.forecast

# Measure the anomalies
benchmarks-anomalies:
    .venv/bin/python -m benchmarks.anomalies

# Measure rows of other connectors
benchmarks-raw-rows:
    .venv/bin/python -m benchmarks.raw_rows

# Measure shards
benchmarks-shards:
    .venv/bin/python -m benchmarks.shards

# Cut runs off and start them again
restart seed="7" points="1000":
    .venv/bin/python -m tests.restart --seed {{ seed }} --points {{ points }}

# Mutate Twilio's answers
hostile seed="7" runs="1000":
    .venv/bin/python -m tests.hostile --seed {{ seed }} --runs {{ runs }}

# Run the tests of the tap itself on another release of the SDK
sdk requirement="singer-sdk[msgspec]>=0.55.0b0":
    .ci/tap-tests '{{ requirement }}'
