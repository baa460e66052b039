# One image for everything: code server, runs, exporter, migration, launches; Dagster's webserver and daemon of the same release too.
# .ci/image-install does the work, and `make test-image` tries it without Docker.
#
#   docker build -t embedding-assets:0.1.0 .
#   docker build --build-arg BASE=python:3.12.12-slim-bookworm@sha256:… .     # a base pinned by digest

ARG BASE=python:3.12.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
# Apart from the program, so that a change of it does not install 200 packages again.
COPY requirements/runtime.txt requirements/build.txt requirements/
COPY .ci/image-install .ci/
RUN .ci/image-install dependencies /opt/embedding-assets
COPY pyproject.toml README.md LICENSE ./
COPY embedding_assets embedding_assets
COPY migrations migrations
RUN .ci/image-install program /opt/embedding-assets

FROM ${BASE}
# Nothing that installs stays; the slim base has no compiler.
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip \
    && groupadd --system --gid 10001 embedding \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin embedding
COPY --from=build /opt/embedding-assets /opt/embedding-assets
ENV PATH=/opt/embedding-assets/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_DISABLE_TELEMETRY=1 \
    DAGSTER_EVENT_BATCH_SIZE=100 \
    DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS=1 \
    # All that is ever written: mount something writable at /tmp, and the root can be read-only.
    HOME=/tmp \
    EMBEDDING_ASSETS_HOME=/tmp/embedding-assets
WORKDIR /tmp
# By number, because Kubernetes' runAsNonRoot cannot look up a name.
USER 10001:10001
# No entrypoint: Dagster's launcher gives whole commands (`dagster api execute_run …`).
CMD ["embedding-assets", "--help"]
