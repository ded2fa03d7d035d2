# Debian rather than Alpine: the prebuilt library of argon2 and the official PostgreSQL tools expect glibc.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# No package needs its install script: what is native comes prebuilt.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
# What .dockerignore lets in.
COPY . .
# As `npm start` does it. `npm run build` would add the types of @tessera-id/verify, which nobody reads in here.
RUN node --input-type=module --eval "import { compile } from './scripts/compile.mjs'; await compile()"
# The compiler has done its work, and the embedded PostgreSQL has no place in a container: DATABASE_URL is required here.
RUN npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && rm -rf node_modules/esbuild node_modules/.bin node_modules/.package-lock.json \
 && mkdir -p /image/scripts \
 && mv package.json bin dist migrations node_modules /image/ \
 && mv scripts/image /image/scripts/ \
# The checkout may be readable by its owner only; the user of the image is another one.
 && chmod -R u=rwX,go=rX /image

FROM node:24-bookworm-slim
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="tessera" \
      org.opencontainers.image.description="Identity microservice: four documented authentication APIs over one set of users and sessions" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
# Nothing is installed at run time, and what cannot be found cannot be misused.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
           /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn* /usr/local/include/node \
 && ln -s /app/bin/tessera.mjs /usr/local/bin/tessera
COPY --from=build /image /app
WORKDIR /app
ENV NODE_ENV=production \
    MALLOC_MMAP_THRESHOLD_=1048576 \
    UV_THREADPOOL_SIZE=32 \
    HOST=0.0.0.0
# `node` of the base image, by number, so that an orchestrator can see that it is not root.
USER 1000:1000
EXPOSE 9154
STOPSIGNAL SIGTERM
# The first minute is for a database that starts at the same time.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["node", "scripts/image/healthcheck.mjs"]
# The base image's entrypoint is a shell script; node itself is to be process 1, and to get the signals.
ENTRYPOINT []
# SIGUSR1 would open a port for a debugger, which reads every secret: not even while Node starts.
CMD ["node", "--disable-sigusr1", "dist/src/main.js"]
