# Parley's image: the wheel in a virtual environment of its own, on Debian's slim Python (glibc: the store has a wheel).
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/requirements.lock deploy/requirements-build.lock deploy/
RUN python -m venv --without-pip /opt/parley \
    && pip --python /opt/parley/bin/python install --require-hashes --only-binary :all: -r deploy/requirements.lock \
    && pip install --require-hashes --only-binary :all: -r deploy/requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY adapters adapters
COPY handlers handlers
RUN python -m hatchling build -t wheel -d /dist \
    && pip --python /opt/parley/bin/python install --no-index --no-deps /dist/*.whl \
    && /opt/parley/bin/python -m compileall -q /opt/parley/lib

FROM python:${PYTHON}-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin parley \
    && install -d -o parley -g parley -m 700 /data
COPY --from=build /opt/parley /opt/parley
# PARLEY_CONTAINER: no console here, whatever is configured.
ENV PATH=/opt/parley/bin:$PATH \
    PARLEY_CONTAINER=1 \
    PARLEY_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER parley
WORKDIR /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["parley", "health"]
ENTRYPOINT ["parley"]
CMD ["run"]
