#!/usr/bin/env bash
# replicas.sh QUERN LOAD MODEL TEXTS [N [SECONDS]]: N servers (3), each in a network namespace of its own, behind nginx: throughput by
# round robin and by least connections, then one replica killed under load. The balancer has to ask another one; no client may lose an
# answer. Needs root, iproute2 and nginx (Debian). Exit code 77: namespaces cannot be made here.
set -euo pipefail
quern=$(realpath "$1") load=$(realpath "$2") model=$(realpath "$3") texts=$(realpath "$4")
n=${5:-3} seconds=${6:-10}
here=q$$
work=$(mktemp -d)
pids=()
end() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  [ ! -e "$work/nginx.pid" ] || kill "$(cat "$work/nginx.pid")" 2> /dev/null || true
  wait 2> /dev/null || true
  for i in $(seq "$n"); do ip netns del "$here-$i" 2> /dev/null || true; done
  ip link del "$here" 2> /dev/null || true
  rm -rf "$work"
}
trap end EXIT

command -v nginx > /dev/null || { echo "replicas: nginx is missing (apt-get install nginx-light)" >&2; exit 77; }
ip link add "$here" type bridge 2> "$work/error" || { echo "replicas: no bridge can be made here: $(cat "$work/error")" >&2; exit 77; }
ip addr add 10.203.0.254/24 dev "$here"
ip link set "$here" up

for i in $(seq "$n"); do
  ns=$here-$i
  ip netns add "$ns" 2> "$work/error" || { echo "replicas: no namespace can be made here: $(cat "$work/error")" >&2; exit 77; }
  ip link add "${here}v$i" type veth peer name eth0 netns "$ns"
  ip link set "${here}v$i" master "$here" up
  ip -n "$ns" addr add "10.203.0.$i/24" dev eth0
  ip -n "$ns" link set eth0 up
  ip -n "$ns" link set lo up
  ip netns exec "$ns" "$quern" serve -m "bench=$model" --host "10.203.0.$i" --port 8080 --threads 1 2> "$work/server.$i" &
  pids+=($!)
done
for i in $(seq "$n"); do
  for _ in $(seq 600); do grep -q serving "$work/server.$i" && break; sleep 0.1; done
  grep -q serving "$work/server.$i" || { echo "replicas: replica $i is not ready: $(cat "$work/server.$i")" >&2; exit 1; }
done

balance() {  # METHOD: an nginx on port 8090 that spreads requests this way
  {
    echo "worker_processes 1; pid $work/nginx.pid; error_log $work/error.log; daemon on;"
    echo "events { worker_connections 4096; }"
    echo "http { access_log off; client_max_body_size 32m; client_body_temp_path $work/body; proxy_temp_path $work/proxy;"
    echo "fastcgi_temp_path $work/a; uwsgi_temp_path $work/b; scgi_temp_path $work/c;"
    echo "upstream replicas { $1"
    for i in $(seq "$n"); do echo "server 10.203.0.$i:8080 max_fails=1 fail_timeout=5s;"; done
    echo "keepalive 64; }"
    echo "server { listen 127.0.0.1:8090; keepalive_requests 1000000; location / { proxy_pass http://replicas; proxy_http_version 1.1;"
    # POSTs too: what a replica did not answer has had no effect.
    echo "proxy_set_header Host \$http_host; proxy_set_header Connection ''; proxy_next_upstream error timeout http_503 non_idempotent; proxy_buffering off; } } }"
  } > "$work/nginx.conf"
  if [ -e "$work/nginx.pid" ]; then
    local old
    old=$(cat "$work/nginx.pid")
    kill -QUIT "$old"
    while kill -0 "$old" 2> /dev/null; do sleep 0.1; done
  fi
  nginx -c "$work/nginx.conf"
}
measure() {
  echo -n "$1: "
  "$load" embed --port 8090 --model bench --file "$texts" --concurrency $((8 * n)) --texts 4 --seconds "$seconds"
}
share() { for i in $(seq "$n"); do
  echo -n " $(ip netns exec "$here-$i" curl -s "http://10.203.0.$i:8080/metrics" | awk '/^quern_requests_total.*embeddings.*200/ {s += $2} END {print s + 0}')"
done; echo; }

balance ""
measure "round robin, $n replicas"
echo "requests of each so far:$(share)"
balance "least_conn;"
measure "least connections, $n replicas"
echo "requests of each so far:$(share)"

( sleep $((seconds / 2)); kill -KILL "${pids[0]}" ) &
killer=$!
result=$(measure "one of $n killed after $((seconds / 2)) s")
wait "$killer"
echo "$result"
case "$result" in
  *'"errors": 0'*) ;;
  *) echo "replicas: clients lost answers" >&2; exit 1 ;;
esac
( sleep $((seconds / 2)); kill -TERM "${pids[1]}" ) &
result=$(measure "another one told to end after $((seconds / 2)) s")
echo "$result"
case "$result" in
  *'"errors": 0'*) ;;
  *) echo "replicas: clients lost answers" >&2; exit 1 ;;
esac
