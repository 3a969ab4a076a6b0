# The image of avsession: the locked dependencies and the four packages, run by a user with no name.

FROM python:3.13-slim AS build
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

FROM python:3.13-slim
COPY --from=build /opt/avsession /opt/avsession
# A new volume takes over the owner and the mode of the folder it is mounted on.
RUN install -d -o 10001 -g 10001 -m 0700 /data
ENV PATH=/opt/avsession/bin:$PATH AVSESSION_DATA=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME /data
EXPOSE 8443
# Suspends a recording in progress; it goes on, or is finished, at the next start.
STOPSIGNAL SIGTERM
ENTRYPOINT ["avsession"]
CMD ["serve"]
