# What the worker's image is made of, and whether anything is known against it. The tools have an environment of their own.
.PHONY: sbom audit
SUPPLY = .supply/bin

.supply/installed: deploy/supply-tools.lock
	@$(PYTHON) -m venv --clear .supply
	@$(SUPPLY)/pip --disable-pip-version-check install --quiet --require-hashes --requirement deploy/supply-tools.lock
	@touch $@

sbom: .supply/installed ## what a worker's image installs, as CycloneDX: out/sbom.json
	@mkdir -p out
	@$(SUPPLY)/python -W ignore -m cyclonedx_py requirements requirements-worker.lock --pyproject pyproject.toml \
		--mc-type application --output-reproducible --of JSON --output-file out/sbom.json
	@echo "out/sbom.json"

audit: .supply/installed ## known vulnerabilities of what a worker's image installs
	@$(SUPPLY)/python deploy/audit.py requirements-worker.lock
