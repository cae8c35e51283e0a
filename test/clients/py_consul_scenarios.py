"""PyPI's py-consul against an agent. Every function named test_... is a scenario.

usage: py_consul_scenarios.py HOST PORT NODE
Prints one line of JSON for each: {"name": "...", "error": null or the traceback}. NODE is the agent's own node.
"""

import json
import socket
import ssl
import sys
import threading
import time
import traceback
from base64 import b64encode

import consul
from consul.exceptions import BadRequest, ClientError

HOST, PORT, NODE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
# Far above what a busy machine needs.
WITHIN_S = 30

c = consul.Consul(host=HOST, port=PORT)


def eventually(check):
    """Runs check until it returns something true, and returns that."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, f"not so within {WITHIN_S} s"
        time.sleep(0.02)


def raises(kind, call, *args, **kwargs):
    """The error that a call raises, which is of this very kind."""
    try:
        result = call(*args, **kwargs)
    except consul.ConsulException as error:
        assert type(error) is kind, repr(error)
        return error
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


def same(seen, expected):
    assert seen == expected, f"\nseen     {seen!r}\nexpected {expected!r}"


def part(whole, **expected):
    """These items of a dictionary."""
    same({key: whole.get(key, "(absent)") for key in expected}, expected)


def test_agent_and_status():
    part(c.agent.self()["Config"], Datacenter="dc1", NodeName=NODE)
    same(sorted(member["Name"] for member in c.agent.members()), ["node-1", "server-1"])
    leader = c.status.leader()
    same(c.status.peers(), [leader])
    same(c.catalog.datacenters(), ["dc1"])
    gauges = {gauge["Name"] for gauge in c.agent.metrics()["Gauges"]}
    assert f"consul.{socket.gethostname()}.runtime.alloc_bytes" in gauges, gauges
    assert "# TYPE " in c.agent.metrics(format_prometheus=True)
    same(c.agent.reload(), True)


def test_service_with_checks():
    service = f"py-web-{NODE}"
    same(
        c.agent.service.register(
            service,
            service_id="py-web-1",
            address="10.1.2.3",
            port=8080,
            tags=["v1", "edge"],
            meta={"team": "a"},
            weights={"Passing": 5, "Warning": 2},
            tagged_addresses={"lan": {"address": "10.1.2.4", "port": 81}},
            check=consul.Check.ttl("300s"),
            extra_checks=[dict(consul.Check.tcp(HOST, PORT, "1s", timeout="5s"), CheckID="py-tcp")],
        ),
        True,
    )
    definition = c.agent.service_definition("py-web-1")
    part(definition, ID="py-web-1", Service=service, Port=8080, Weights={"Passing": 5, "Warning": 2})
    same(definition["TaggedAddresses"]["lan"], {"Address": "10.1.2.4", "Port": 81})
    same(list(c.agent.services(filter_expr=f'Service == "{service}"')), ["py-web-1"])
    own = c.agent.checks(filter_expr='ServiceID == "py-web-1"')
    same(sorted(own), ["py-tcp", "service:py-web-1:1"])

    def state():
        return {one["CheckID"]: one["Status"] for one in c.health.checks(service)[1]}

    c.agent.check.ttl_pass("service:py-web-1:1", notes="all well")
    eventually(lambda: state() == {"py-tcp": "passing", "service:py-web-1:1": "passing"})
    index, passing = c.health.service(service, passing=True)
    assert int(index) > 0
    part(passing[0]["Service"], ID="py-web-1", Address="10.1.2.3", Tags=["v1", "edge"], Meta={"team": "a"})
    part(passing[0]["Node"], Node=NODE, Datacenter="dc1")
    same(len(c.health.service(service, tag=["v1", "edge"])[1]), 1)
    same(c.health.service(service, tag=["v1", "none"])[1], [])
    same(len(c.health.service(service, near="_agent", filter_expr='Service.Meta.team == "a"')[1]), 1)

    c.agent.check.ttl_warn("service:py-web-1:1")
    eventually(lambda: state()["service:py-web-1:1"] == "warning")
    c.agent.check.ttl_fail("service:py-web-1:1", notes="gone")
    eventually(lambda: state()["service:py-web-1:1"] == "critical")
    critical = {one["CheckID"]: one for one in c.health.state("critical")[1]}
    part(critical["service:py-web-1:1"], Output="gone", ServiceName=service, ServiceTags=["v1", "edge"])
    assert "service:py-web-1:1" in {one["CheckID"] for one in c.health.node(NODE)[1]}
    same(c.health.service(service, passing=True)[1], [])

    c.agent.service.register(
        service, service_id="py-web-1", check=consul.Check.ttl("300s"), replace_existing_checks=True
    )
    eventually(lambda: list(state()) == ["service:py-web-1"])
    same(c.agent.service.deregister("py-web-1"), True)
    eventually(lambda: c.health.service(service)[1] == [])
    same(c.agent.service_definition("py-web-1"), None)


def test_checks_of_the_node():
    same(c.agent.check.register("py-beat", check=consul.Check.ttl("300s"), notes="beats"), True)
    part(c.agent.checks()["py-beat"], Status="critical", Notes="beats", Type="ttl")
    c.agent.check.ttl_pass("py-beat")
    part(c.agent.checks()["py-beat"], Status="passing")
    same(c.agent.check.register("py-http", check=consul.Check.http(f"http://{HOST}:{PORT}/v1/status/leader", "1s")), True)
    eventually(lambda: c.agent.checks()["py-http"]["Status"] == "passing")
    same(c.agent.check.deregister("py-beat"), True)
    same(c.agent.check.deregister("py-http"), True)
    same({"py-beat", "py-http"} & set(c.agent.checks()), set())
    # Scripts are off unless an agent is told otherwise.
    raises(consul.ConsulException, c.agent.check.register, "py-script", check=consul.Check.script(["true"], "1s"))


def test_maintenance():
    c.agent.service.register("py-kept")
    same(c.agent.service.maintenance("py-kept", True, "new disk"), True)
    part(c.agent.checks()["_service_maintenance:py-kept"], Status="critical", Notes="new disk")
    same(c.agent.service.maintenance("py-kept", False), True)
    same(c.agent.maintenance(True, "move"), True)
    part(c.agent.checks()["_node_maintenance"], Status="critical", Notes="move")
    same(c.agent.maintenance(False), True)
    assert not [name for name in c.agent.checks() if "maintenance" in name]
    c.agent.service.deregister("py-kept")


def test_sidecar():
    c.agent.service.register("py-api", port=80, connect={"sidecar_service": {}})
    part(c.agent.services()["py-api-sidecar-proxy"], Kind="connect-proxy", Service="py-api-sidecar-proxy")
    mesh = eventually(lambda: c.health.connect("py-api")[1])
    part(mesh[0]["Service"], Service="py-api-sidecar-proxy")
    same(len(c.catalog.connect("py-api")[1]), 1)
    c.agent.service.deregister("py-api")
    same([name for name in c.agent.services() if name.startswith("py-api")], [])


def test_catalog():
    node = f"py-outside-{NODE}"
    service = {"service": f"py-db-{NODE}", "id": "db-1", "tags": ["primary"], "port": 5432}
    check = {"name": "db", "checkid": "db", "status": "passing", "serviceid": "db-1"}
    same(c.catalog.register(node, "10.9.9.9", service=service, check=check, tagged_addresses={"wan": "1.2.3.4"}), True)
    index, rows = c.catalog.service(f"py-db-{NODE}", tag="primary")
    part(rows[0], Node=node, Address="10.9.9.9", ServiceID="db-1", ServicePort=5432, TaggedAddresses={"wan": "1.2.3.4"})
    same(c.catalog.services()[1][f"py-db-{NODE}"], ["primary"])
    same(list(c.catalog.node(node)[1]["Services"]), ["db-1"])
    assert node in {one["Node"] for one in c.catalog.nodes(consistency="stale")[1]}
    assert node in {one["Node"] for one in c.catalog.nodes(near=NODE, dc="dc1")[1]}
    same([one["Node"] for one in c.catalog.nodes(filter_expr=f'Node == "{node}"')[1]], [node])
    same(c.health.checks(f"py-db-{NODE}")[1][0]["Status"], "passing")
    # A query that waits wakes with what changed.
    timer = threading.Timer(0.2, consul.Consul(host=HOST, port=PORT).catalog.deregister, [node], {"check_id": "db"})
    timer.start()
    newer, entries = c.health.service(f"py-db-{NODE}", index=c.health.service(f"py-db-{NODE}")[0], wait="20s")
    timer.join()
    same(entries[0]["Checks"], [])
    assert int(newer) > int(index)
    same(c.catalog.deregister(node, service_id="db-1"), True)
    same(c.catalog.service(f"py-db-{NODE}")[1], [])
    same(c.catalog.deregister(node), True)
    same(c.catalog.node(node)[1], None)


def test_keys():
    at = f"py/{NODE}"
    index, none = c.kv.get(f"{at}/a")
    same(none, None)
    assert int(index) > 0
    same(c.kv.put(f"{at}/a", "hello wörld".encode(), flags=2**63), True)
    index, entry = c.kv.get(f"{at}/a")
    part(entry, Key=f"{at}/a", Value="hello wörld".encode(), Flags=2**63, LockIndex=0)
    same(c.kv.put(f"{at}/a", "two", cas=entry["ModifyIndex"]), True)
    same(c.kv.put(f"{at}/a", "three", cas=entry["ModifyIndex"]), False)
    same(c.kv.put(f"{at}/new", "x", cas=0), True)
    same(c.kv.put(f"{at}/new", "x", cas=0), False)
    same(c.kv.put(f"{at}/dir/empty", None), True)
    same(c.kv.get(f"{at}/dir/empty")[1]["Value"], None)
    same(c.kv.put(f"{at}/dir/bytes", bytes(range(256))), True)
    same(c.kv.get(f"{at}/dir/bytes")[1]["Value"], bytes(range(256)))
    same(c.kv.get(f"{at}/", keys=True)[1], [f"{at}/{name}" for name in ("a", "dir/bytes", "dir/empty", "new")])
    same(c.kv.get(f"{at}/", keys=True, separator="/")[1], [f"{at}/{name}" for name in ("a", "dir/", "new")])
    same([one["Key"] for one in c.kv.get(f"{at}/dir/", recurse=True)[1]], [f"{at}/dir/bytes", f"{at}/dir/empty"])
    same(c.kv.get(f"{at}/a", consistency="consistent")[1]["Value"], b"two")
    same(c.kv.delete(f"{at}/a", cas=1), False)
    same(c.kv.delete(f"{at}/a"), True)
    same(c.kv.delete(f"{at}/", recurse=True), True)
    same(c.kv.get(f"{at}/", recurse=True)[1], None)


def test_waiting_for_a_key():
    key = f"py/{NODE}/waited"
    index, none = c.kv.get(key)
    same(none, None)
    other = consul.Consul(host=HOST, port=PORT)
    timer = threading.Timer(0.2, other.kv.put, [key, "now"])
    timer.start()
    started = time.monotonic()
    newer, entry = c.kv.get(key, index=index, wait="20s")
    timer.join()
    same(entry["Value"], b"now")
    assert int(newer) > int(index) and time.monotonic() - started < 15
    # Nothing happens: the same index comes back after the wait, and a sixteenth of it at most.
    started = time.monotonic()
    again, entry = c.kv.get(key, index=newer, wait="500ms")
    same(again, newer)
    assert 0.5 <= time.monotonic() - started
    other.kv.delete(key)
    gone, none = c.kv.get(key, index=newer, wait="20s")
    same(none, None)
    assert int(gone) > int(newer)


def test_locks():
    key = f"py/{NODE}/lock"
    session = c.session.create(name="py", behavior="delete", ttl=60, lock_delay=0)
    other = c.session.create(lock_delay=1)
    part(c.session.info(session)[1], ID=session, Name="py", Node=NODE, Behavior="delete", TTL="60s", LockDelay=0)
    part(c.session.info(other)[1], Name="", Behavior="release", TTL="", LockDelay=10**9, NodeChecks=["serfHealth"])
    assert {session, other} <= {one["ID"] for one in c.session.list()[1]}
    assert {session, other} <= {one["ID"] for one in c.session.node(NODE)[1]}
    part(c.session.renew(session), ID=session)

    same(c.kv.put(key, "mine", acquire=session), True)
    same(c.kv.put(key, "ours", acquire=other), False)
    part(c.kv.get(key)[1], Value=b"mine", Session=session, LockIndex=1)
    same(c.kv.put(key, "ours", release=other), False)
    same(c.kv.put(key, "free", release=session), True)
    assert "Session" not in c.kv.get(key)[1]
    same(c.kv.put(key, "mine", acquire=session), True)
    index = c.kv.get(key)[0]
    timer = threading.Timer(0.2, consul.Consul(host=HOST, port=PORT).session.destroy, [session])
    timer.start()
    same(c.kv.get(key, index=index, wait="20s")[1], None)
    timer.join()
    raises(consul.NotFound, c.session.renew, session)
    same(c.session.info(session)[1], None)
    raises(consul.ConsulException, c.kv.put, key, "x", acquire=session)
    same(c.session.destroy(other), True)
    raises(consul.ConsulException, c.session.create, checks=["no such check"])


def test_transactions():
    key = f"py/{NODE}/txn"
    value = b64encode(b"1").decode()
    done = c.txn.put([
        {"KV": {"Verb": "set", "Key": key, "Value": value, "Flags": 7}},
        {"KV": {"Verb": "get", "Key": key}},
        {"Node": {"Verb": "get", "Node": {"Node": NODE}}},
    ])
    same(done["Errors"], None)
    part(done["Results"][1]["KV"], Key=key, Value=value, Flags=7)
    part(done["Results"][2]["Node"], Node=NODE)
    refused = raises(ClientError, c.txn.put, [
        {"KV": {"Verb": "delete", "Key": key}},
        {"KV": {"Verb": "check-index", "Key": key, "Index": 1}},
    ])
    assert str(refused).startswith("409 ") and '"OpIndex":1' in str(refused).replace(" ", ""), str(refused)
    same(c.kv.get(key)[1]["Value"], b"1")


def test_events():
    name = f"py-deploy-{NODE}"
    fired = c.event.fire(name, "v1.2")
    part(fired, Name=name, Version=1, Payload=b64encode(b"v1.2").decode())
    index, seen = eventually(lambda: (lambda answer: answer[1] and answer)(c.event.list(name)))
    same([(one["ID"], one["Payload"]) for one in seen], [(fired["ID"], b"v1.2")])
    timer = threading.Timer(0.2, consul.Consul(host=HOST, port=PORT).event.fire, [name, "v1.3"])
    timer.start()
    newer, seen = c.event.list(name, index=index, wait="20s")
    timer.join()
    same([one["Payload"] for one in seen], [b"v1.2", b"v1.3"])
    assert newer != index


def test_prepared_queries():
    service = f"py-queried-{NODE}"
    c.agent.service.register(service, port=99, tags=["a"])
    eventually(lambda: c.health.service(service)[1])
    made = c.query.create(service, name=f"py-find-{NODE}", onlypassing=True, tags=["a"], ttl="7s")["ID"]
    part(c.query.get(made)[0], ID=made, Name=f"py-find-{NODE}")
    assert made in {one["ID"] for one in c.query.list()}
    found = c.query.execute(f"py-find-{NODE}", near="_agent", limit=1)
    part(found, Service=service, DNS={"TTL": "7s"})
    same([one["Service"]["Port"] for one in found["Nodes"]], [99])
    part(c.query.explain(f"py-find-{NODE}")["Query"], Name=f"py-find-{NODE}")
    same(c.query.update(made, service, name=f"py-find-{NODE}", tags=["b"]), True)
    same(c.query.execute(f"py-find-{NODE}")["Nodes"], [])
    same(c.query.delete(made), True)
    c.agent.service.deregister(service)


def test_coordinates():
    same([one["Datacenter"] for one in c.coordinate.datacenters()], ["dc1"])
    coordinate = {"Vec": [0.1] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-05}
    same(c.coordinate.update("server-1", coordinate), True)
    known = eventually(lambda: [one for one in c.coordinate.nodes()[1] if one["Node"] == "server-1"])
    same(known[0]["Coord"]["Vec"], [0.1] * 8)
    same(c.coordinate.node("server-1")[1][0]["Coord"]["Error"], 1.5)


def test_operator():
    servers = c.operator.raft_config()["Servers"]
    same([(one["Node"], one["Leader"], one["Voter"]) for one in servers], [("server-1", True, True)])
    part(c.operator.autopilot_health(), Healthy=True)
    same(c.operator.autopilot_configuration()["CleanupDeadServers"], True)
    assert c.operator.usage()["Usage"]["dc1"]["Nodes"] >= 2


def test_config_entries():
    name = f"py-conf-{NODE}"
    same(c.config.set("service-defaults", name, {"Protocol": "http"}), True)
    entry = c.config.get("service-defaults", name)
    part(entry, Kind="service-defaults", Name=name, Protocol="http")
    same(c.config.set("service-defaults", name, {"Protocol": "grpc"}, cas=entry["ModifyIndex"] - 1), False)
    same(c.config.set("service-defaults", name, {"Protocol": "grpc"}, cas=entry["ModifyIndex"]), True)
    same([one["Protocol"] for one in c.config.list("service-defaults", filter_expr=f'Name == "{name}"')], ["grpc"])
    c.config.set("service-resolver", name, {"ConnectTimeout": "3s"})
    chain = c.discovery_chain.get(name)["Chain"]
    part(chain, ServiceName=name, Protocol="grpc", Datacenter="dc1")
    chain = c.discovery_chain.get(name, override_protocol="http", override_connect_timeout="9s")["Chain"]
    part(chain, Protocol="http")
    target = chain["Nodes"][chain["StartNode"]]["Resolver"]
    part(target, ConnectTimeout="9s")
    same(c.config.delete("service-resolver", name), True)
    newest = c.config.get("service-defaults", name)["ModifyIndex"]
    same(c.config.delete("service-defaults", name, cas=newest), True)
    same(c.config.get("service-defaults", name), None)


def test_intentions():
    source, target = f"py-src-{NODE}", f"py-dst-{NODE}"
    same(c.connect.intentions.upsert(source, target, action="deny", description="no"), True)
    part(c.connect.intentions.read(source, target), SourceName=source, Action="deny", Description="no", Precedence=9)
    # The client can send metadata, and Consul refuses it here.
    raises(consul.ConsulException, c.connect.intentions.upsert, source, target, action="allow", meta={"a": "b"})
    same(c.connect.intentions.check(source, target), False)
    same(c.connect.intentions.upsert(source, target, action="allow"), True)
    same(c.connect.intentions.check(source, target), True)
    same([one["Action"] for one in c.connect.intentions.match("destination", target)[target]], ["allow"])
    same(len(c.connect.intentions.list(filter_expr=f'SourceName == "{source}"')), 1)
    # The client sends a PUT, and Consul takes a POST here.
    refused = raises(ClientError, c.agent.connect.authorize, target, f"spiffe://x/ns/default/dc/dc1/svc/{source}", "04")
    assert str(refused).startswith("405 "), str(refused)
    same(c.connect.intentions.delete(source, target), True)
    same(c.connect.intentions.read(source, target), None)


def test_certificates():
    roots = c.agent.connect.ca.roots()
    same([one["ID"] for one in c.connect.ca.roots()["Roots"]], [one["ID"] for one in roots["Roots"]])
    leaf = c.agent.connect.ca.leaf("py-web")
    part(leaf, Service="py-web", ServiceURI=f"spiffe://{roots['TrustDomain']}/ns/default/dc/dc1/svc/py-web")
    assert len(ssl.PEM_cert_to_DER_cert(leaf["CertPEM"])) > 100
    part(c.connect.ca.configuration(), Provider="consul")


def test_snapshots():
    key = f"py/{NODE}/saved"
    c.kv.put(key, "before")
    archive = c.snapshot.save()
    same(archive[:2], b"\x1f\x8b")
    c.kv.put(key, "after")
    same(c.snapshot.restore(archive), True)
    eventually(lambda: c.kv.get(key)[1]["Value"] == b"before")
    raises(consul.ConsulException, c.snapshot.restore, archive[:-20])
    same(c.kv.get(key)[1]["Value"], b"before")


def test_errors():
    raises(BadRequest, c.kv.get, "py/x", index=1, wait="soon")
    raises(consul.ConsulException, c.catalog.nodes, dc="nowhere")
    raises(consul.ConsulException, c.catalog.nodes, filter_expr="Node ==")
    raises(BadRequest, c.agent.service.register, "")
    raises(consul.ACLDisabled, c.acl.token.list)
    # A token is no obstacle where none is asked for.
    assert consul.Consul(host=HOST, port=PORT, token="any").catalog.nodes()[1]


def run(name, scenario):
    try:
        scenario()
        return None
    except BaseException:
        return traceback.format_exc()


if __name__ == "__main__":
    for name, scenario in list(globals().items()):
        if name.startswith("test_"):
            print(json.dumps({"name": name, "error": run(name, scenario)}), flush=True)
