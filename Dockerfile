# The image of avsession: the locked dependencies and the four packages. One image for every process
# of ours; which one it is, and as which user it runs, docker-compose.yml says.
#
# The base is pinned by its version. A digest pins it for good: --build-arg PYTHON=python@sha256:...
ARG PYTHON=python:3.13.9-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /build
RUN python -m venv /opt/avsession
# Dependencies by hash first: a change of the source does not fetch them again.
COPY requirements.lock ./
RUN /opt/avsession/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY avsession avsession
COPY signaling signaling
COPY recorder recorder
COPY web web
RUN /opt/avsession/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${PYTHON}
COPY --from=build /opt/avsession /opt/avsession
# Nobody here has a name: 10001 serves and records, 10002 is custody. A new volume takes over the
# owner and the mode of the folder that it is mounted on.
RUN install -d -o 10001 -g 10001 -m 0700 /data
RUN install -d -o 10001 -g 10001 -m 0700 /spool
RUN install -d -o 10001 -g 10001 -m 0700 /run/recorder
RUN install -d -o 10001 -g 10001 -m 0700 /run/turn
RUN install -d -o 10002 -g 10002 -m 0700 /custody
RUN install -d -o 10002 -g 10001 -m 0750 /run/custody
ENV PATH=/opt/avsession/bin:$PATH AVSESSION_DATA=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8443
# Suspends a recording in progress; it goes on, or is finished, at the next start.
STOPSIGNAL SIGTERM
ENTRYPOINT ["avsession"]
CMD ["serve"]
