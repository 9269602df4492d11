# The service in one image: web server, worker and command line. `docker build -t passrail .`
# Both stages need the same base: the environment links to its Python.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
RUN python3 -m venv /opt/venv
COPY requirements.lock pyproject.toml README.md /src/
RUN /opt/venv/bin/pip install --quiet --no-cache-dir --require-hashes --requirement /src/requirements.lock
COPY app /src/app
RUN /opt/venv/bin/pip install --quiet --no-cache-dir --no-build-isolation --no-deps /src

FROM ${BASE}
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 DATA_DIR=/data HOST=0.0.0.0 PORT=8000
COPY --from=build /opt/venv /opt/venv
RUN useradd --uid 10001 --no-create-home --home-dir /data passrail \
    && install --directory --owner=passrail --mode=0700 /data
WORKDIR /srv
COPY Procfile LICENSE /srv/
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz')"]
# One container does it all, with SQLite on the volume. deploy/compose.yaml starts web server and worker apart.
CMD ["sh", "-c", "passrail migrate && exec honcho start web worker"]
