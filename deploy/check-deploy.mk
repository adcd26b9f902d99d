# The cluster's description, checked by the tools that will read it; no Docker engine is needed.
.PHONY: check-deploy
check-deploy: install
	@for tool in docker-compose promtool; do \
		command -v $$tool > /dev/null || { echo "check-deploy: no $$tool (Debian: docker-compose, prometheus)" >&2; exit 1; }; \
	done
	$(BIN)/python -m pytest tests/unit/test_deploy_compose.py tests/unit/test_deploy_prometheus.py tests/unit/test_deploy_grafana.py tests/unit/test_deploy_agrees.py tests/unit/test_deploy_alerts.py
