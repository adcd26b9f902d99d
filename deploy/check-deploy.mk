# The cluster's description, checked by the tools that will read it, then run without a Docker engine: every service's own
# command, faults that raise their alerts, panels that show something. Takes about five minutes.
.PHONY: check-deploy promtool
PROMTOOL = .promtool/promtool

promtool: $(PROMTOOL) ## the promtool of the Prometheus that Compose runs, built where Go is (minutes, once)

$(PROMTOOL): deploy/promtool/go.mod deploy/promtool/go.sum
	@if go version 2> /dev/null | grep -qE "go1\.(2[3-9]|[3-9][0-9])"; then \
		cd deploy/promtool && go build -tags remove_all_sd -trimpath -o ../../$@ github.com/prometheus/prometheus/cmd/promtool; \
	else \
		echo "promtool: no Go of 1.23 or later: rules are tested by the Prometheus that is installed alone"; \
	fi

check-deploy: install promtool ## what is in deploy/, run without a Docker engine
	@for tool in docker-compose promtool prometheus java mvn; do \
		command -v $$tool > /dev/null || { echo "check-deploy: no $$tool (Debian: docker-compose, prometheus, openjdk-17-jre-headless, maven)" >&2; exit 1; }; \
	done
	$(BIN)/python -m pytest tests/unit/deploy
	$(BIN)/python -m pytest -m deploy
