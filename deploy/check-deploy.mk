# The cluster's description, checked by the tools that will read it, then run without a Docker engine: every service's own
# command, faults that raise their alerts, panels that show something. Takes about five minutes.
.PHONY: check-deploy
check-deploy: install ## what is in deploy/, run without a Docker engine
	@for tool in docker-compose promtool prometheus java mvn; do \
		command -v $$tool > /dev/null || { echo "check-deploy: no $$tool (Debian: docker-compose, prometheus, openjdk-17-jre-headless, maven)" >&2; exit 1; }; \
	done
	$(BIN)/python -m pytest tests/unit/deploy
	$(BIN)/python -m pytest -m deploy
