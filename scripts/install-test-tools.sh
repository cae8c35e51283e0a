#!/bin/sh
# The real programs that tests and benches need beside Node: wrk, etcd, dig, strace, ip, unshare, mount, haproxy, faketime, kubectl, Python
# with venv, a JDK with Maven. As root on Debian or Ubuntu the missing ones are installed; elsewhere the script only says
# what to install. Run again, it changes nothing.
set -u

# program:package on Debian
wanted="wrk:wrk etcd:etcd-server dig:bind9-dnsutils strace:strace ip:iproute2 unshare:util-linux haproxy:haproxy"
wanted="$wanted faketime:faketime python3:python3-minimal mount:mount javac:default-jdk-headless mvn:maven"

missing=""
for pair in $wanted; do
  program=${pair%%:*}
  command -v "$program" >/dev/null 2>&1 && continue
  if [ "$program" = etcd ] && [ -x "${KUBEBUILDER_ASSETS:-/nonexistent}/etcd" ]; then continue; fi
  missing="$missing ${pair##*:}"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
kubectl=present
if ! command -v kubectl >/dev/null 2>&1 && [ ! -x "${KUBEBUILDER_ASSETS:-/nonexistent}/kubectl" ]; then kubectl=missing; fi

if [ -z "$missing" ] && [ "$kubectl" = present ]; then
  echo "test tools: all there"
  exit 0
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  [ -z "$missing" ] || echo "test tools: install$missing (Debian's package names)"
  [ "$kubectl" = present ] || echo "test tools: install kubectl (https://kubernetes.io/docs/tasks/tools)"
  echo "tests that need them are skipped until then"
  [ "${LICTOR_REQUIRE_REAL:-}" != 1 ]
  exit
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || exit 1
if [ "$kubectl" = missing ]; then
  # Kubernetes' own package is named kubectl, Debian's kubernetes-client: the first one that a configured source has.
  for package in kubectl kubernetes-client; do
    if [ -n "$(apt-cache policy "$package" | sed -n 's/^  Candidate: \([0-9].*\)/\1/p')" ]; then
      missing="$missing $package"
      break
    fi
  done
fi
# A package must not start a server of its own: the tests start theirs, on free ports.
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$guard" && chmod +x "$guard"
  trap 'rm -f "$guard"' EXIT
fi
echo "test tools: installing$missing"
# shellcheck disable=SC2086 # a list of packages
apt-get install -y -qq --no-install-recommends $missing >/dev/null || exit 1
for program in wrk etcd dig strace ip unshare haproxy faketime javac mvn kubectl; do
  command -v "$program" >/dev/null 2>&1 || echo "test tools: $program is still missing"
done
