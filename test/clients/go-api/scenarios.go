package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/api/watch"
)

type scenario struct {
	name string
	run  func()
}

var scenarios = []scenario{
	{"testAgent", testAgent},
	{"testService", testService},
	{"testChecks", testChecks},
	{"testMaintenance", testMaintenance},
	{"testSidecar", testSidecar},
	{"testCatalog", testCatalog},
	{"testCachedReads", testCachedReads},
	{"testKeys", testKeys},
	{"testWaiting", testWaiting},
	{"testSessions", testSessions},
	{"testLock", testLock},
	{"testSemaphore", testSemaphore},
	{"testTransactions", testTransactions},
	{"testEvents", testEvents},
	{"testPreparedQueries", testPreparedQueries},
	{"testConfigEntries", testConfigEntries},
	{"testIntentions", testIntentions},
	{"testCertificates", testCertificates},
	{"testWatchPlans", testWatchPlans},
	{"testNamespaces", testNamespaces},
	{"testOperator", testOperator},
	{"testStreams", testStreams},
	{"testSnapshot", testSnapshot},
	{"testErrors", testErrors},
}

func testAgent() {
	self, err := client.Agent().Self()
	ok(err)
	same(self["Config"]["NodeName"], node)
	same(self["Config"]["Datacenter"], "dc1")
	name, err := client.Agent().NodeName()
	ok(err)
	same(name, node)
	members, err := client.Agent().Members(false)
	ok(err)
	same(len(members), 2)
	for _, member := range members {
		same(member.Status, 1)
	}
	leader, err := client.Status().Leader()
	ok(err)
	peers, err := client.Status().Peers()
	ok(err)
	same(peers, []string{leader})
	metrics, err := client.Agent().Metrics()
	ok(err)
	holds("there are gauges", len(metrics.Gauges) > 0)
	host, err := client.Agent().Host()
	ok(err)
	holds("the host has memory", host["Memory"] != nil)
	version, err := client.Agent().Version()
	ok(err)
	holds("it has a version", version["HumanVersion"] != nil)
	ok(client.Agent().Reload())
}

func testService() {
	agent, health := client.Agent(), client.Health()
	registration := &api.AgentServiceRegistration{
		ID:                "go-web-1",
		Name:              "go-web-" + node,
		Tags:              []string{"v1", "edge"},
		Address:           "10.1.2.3",
		Port:              8080,
		Meta:              map[string]string{"team": "a"},
		Weights:           &api.AgentWeights{Passing: 5, Warning: 2},
		TaggedAddresses:   map[string]api.ServiceAddress{"lan": {Address: "10.1.2.4", Port: 81}},
		EnableTagOverride: true,
		Check:             &api.AgentServiceCheck{CheckID: "go-web-1", TTL: "300s", Status: "passing", Notes: "beats"},
	}
	ok(agent.ServiceRegister(registration))
	service, meta, err := agent.Service("go-web-1", nil)
	ok(err)
	same(service.Service, registration.Name)
	same(service.Weights, api.AgentWeights{Passing: 5, Warning: 2})
	same(service.TaggedAddresses["lan"], api.ServiceAddress{Address: "10.1.2.4", Port: 81})
	same(service.Meta, registration.Meta)
	holds("it has a hash", service.ContentHash != "" && service.ContentHash == meta.LastContentHash)
	found, err := agent.ServicesWithFilter(`Meta.team == "a" and Service == "` + registration.Name + `"`)
	ok(err)
	same(len(found), 1)

	var entries []*api.ServiceEntry
	eventually("it is in the catalog", func() bool {
		entries, _, err = health.ServiceMultipleTags(registration.Name, []string{"v1", "edge"}, true, nil)
		ok(err)
		return len(entries) == 1
	})
	same(entries[0].Node.Node, node)
	same(entries[0].Service.Tags, registration.Tags)
	same(entries[0].Service.EnableTagOverride, true)
	same(entries[0].Checks.AggregatedStatus(), api.HealthPassing)

	status, info, err := agent.AgentHealthServiceByID("go-web-1")
	ok(err)
	same(status, api.HealthPassing)
	same(info.Service.ID, "go-web-1")
	ok(agent.FailTTL("go-web-1", "gone"))
	status, all, err := agent.AgentHealthServiceByName(registration.Name)
	ok(err)
	same(status, api.HealthCritical)
	same(all[0].Checks[0].Output, "gone")
	eventually("it is critical", func() bool {
		checks, _, err := health.State(api.HealthCritical, nil)
		ok(err)
		for _, check := range checks {
			if check.CheckID == "go-web-1" {
				same(check.ServiceTags, registration.Tags)
				return true
			}
		}
		return false
	})
	entries, _, err = health.Service(registration.Name, "", true, nil)
	ok(err)
	same(len(entries), 0)

	// A wait by hash ends with what changed.
	changed := make(chan *api.AgentService, 1)
	go func() {
		now, _, err := agent.Service("go-web-1", &api.QueryOptions{WaitHash: meta.LastContentHash, WaitTime: 20 * time.Second})
		if err == nil {
			changed <- now
		}
	}()
	registration.Port = 9090
	ok(agent.ServiceRegisterOpts(registration, api.ServiceRegisterOpts{ReplaceExistingChecks: true}))
	same(soon("the wait by hash ends", changed).Port, 9090)
	ok(agent.ServiceDeregister("go-web-1"))
	status, _, err = agent.AgentHealthServiceByID("go-web-1")
	ok(err)
	same(status, api.HealthCritical)
}

func testChecks() {
	agent := client.Agent()
	ttl := api.AgentServiceCheck{TTL: "300s", Status: "warning"}
	ok(agent.CheckRegister(&api.AgentCheckRegistration{ID: "go-beat", Name: "beat", Notes: "n", AgentServiceCheck: ttl}))
	check := func() *api.AgentCheck {
		checks, err := agent.ChecksWithFilter(`CheckID == "go-beat"`)
		ok(err)
		same(len(checks), 1)
		return checks["go-beat"]
	}
	same([]string{check().Status, check().Name, check().Type, check().Notes}, []string{"warning", "beat", "ttl", "n"})
	ok(agent.UpdateTTL("go-beat", "fine", api.HealthPassing))
	same([]string{check().Status, check().Output}, []string{"passing", "fine"})
	ok(agent.WarnTTL("go-beat", "hm"))
	same(check().Status, api.HealthWarning)
	eventually("the catalog has it", func() bool {
		checks, _, err := client.Health().Node(node, nil)
		ok(err)
		for _, one := range checks {
			if one.CheckID == "go-beat" {
				return one.Status == api.HealthWarning
			}
		}
		return false
	})
	ok(agent.CheckDeregister("go-beat"))
	refused(agent.PassTTL("go-beat", ""), "404")
}

func testMaintenance() {
	agent := client.Agent()
	ok(agent.ServiceRegister(&api.AgentServiceRegistration{Name: "go-kept"}))
	ok(agent.EnableServiceMaintenance("go-kept", "new disk"))
	status := func() string {
		checks, _, err := client.Health().Checks("go-kept", nil)
		ok(err)
		return checks.AggregatedStatus()
	}
	eventually("the service is in maintenance", func() bool { return status() == api.HealthMaint })
	ok(agent.DisableServiceMaintenance("go-kept"))
	eventually("the service is back", func() bool { return status() == api.HealthPassing })
	ok(agent.EnableNodeMaintenance("move"))
	checks, err := agent.Checks()
	ok(err)
	same(checks[api.NodeMaint].Notes, "move")
	ok(agent.DisableNodeMaintenance())
	ok(agent.ServiceDeregister("go-kept"))
}

func testSidecar() {
	agent := client.Agent()
	ok(agent.ServiceRegister(&api.AgentServiceRegistration{
		Name: "go-api",
		Port: 80,
		Connect: &api.AgentServiceConnect{SidecarService: &api.AgentServiceRegistration{
			Proxy: &api.AgentServiceConnectProxyConfig{
				Upstreams: []api.Upstream{{DestinationName: "db", LocalBindPort: 9191}},
			},
		}},
	}))
	proxy, _, err := agent.Service("go-api-sidecar-proxy", nil)
	ok(err)
	same(proxy.Kind, api.ServiceKindConnectProxy)
	same(proxy.Proxy.DestinationServiceID, "go-api")
	same([]any{proxy.Proxy.Upstreams[0].DestinationName, proxy.Proxy.Upstreams[0].LocalBindPort}, []any{"db", 9191})
	eventually("the mesh has it", func() bool {
		entries, _, err := client.Health().Connect("go-api", "", false, nil)
		ok(err)
		return len(entries) == 1 && entries[0].Service.ID == "go-api-sidecar-proxy"
	})
	ok(agent.ServiceDeregister("go-api"))
	_, _, err = agent.Service("go-api-sidecar-proxy", nil)
	refused(err, "404")
}

func testCatalog() {
	catalog := client.Catalog()
	outside := "go-outside-" + node
	_, err := catalog.Register(&api.CatalogRegistration{
		Node:            outside,
		Address:         "10.9.9.9",
		NodeMeta:        map[string]string{"rack": outside},
		TaggedAddresses: map[string]string{"wan": "1.2.3.4"},
		Service:         &api.AgentService{ID: "db-1", Service: "go-db-" + node, Port: 5432, Tags: []string{"primary"}},
		Checks: api.HealthChecks{{
			Node: outside, CheckID: "db", Name: "db", Status: "passing", ServiceID: "db-1",
			Definition: api.HealthCheckDefinition{TCP: "10.9.9.9:5432", IntervalDuration: 7 * time.Second},
		}},
	}, nil)
	ok(err)
	rows, meta, err := catalog.ServiceMultipleTags("go-db-"+node, []string{"primary"}, &api.QueryOptions{RequireConsistent: true})
	ok(err)
	same(len(rows), 1)
	same([]any{rows[0].Node, rows[0].Address, rows[0].ServicePort, rows[0].NodeMeta["rack"]}, []any{outside, "10.9.9.9", 5432, outside})
	holds("the leader is known", meta.KnownLeader && meta.LastIndex > 0 && meta.DefaultACLPolicy == "allow")
	checks, _, err := client.Health().Checks("go-db-"+node, nil)
	ok(err)
	same(checks[0].Definition.IntervalDuration, 7*time.Second)
	nodes, _, err := catalog.Nodes(&api.QueryOptions{NodeMeta: map[string]string{"rack": outside}, AllowStale: true})
	ok(err)
	same(len(nodes), 1)
	same(nodes[0].TaggedAddresses["wan"], "1.2.3.4")
	services, _, err := catalog.Services(&api.QueryOptions{NodeMeta: map[string]string{"rack": outside}})
	ok(err)
	same(services, map[string][]string{"go-db-" + node: {"primary"}})
	whole, _, err := catalog.Node(outside, nil)
	ok(err)
	same(whole.Services["db-1"].Port, 5432)
	list, _, err := catalog.NodeServiceList(outside, &api.QueryOptions{Filter: `Service == "none"`})
	ok(err)
	same(len(list.Services), 0)
	_, err = catalog.Deregister(&api.CatalogDeregistration{Node: outside}, nil)
	ok(err)
	whole, _, err = catalog.Node(outside, nil)
	ok(err)
	holds("it is gone", whole == nil)
	datacenters, err := catalog.Datacenters()
	ok(err)
	same(datacenters, []string{"dc1"})
}

func testCachedReads() {
	options := &api.QueryOptions{UseCache: true, MaxAge: time.Minute}
	_, first, err := client.Health().Service("consul", "", false, options)
	ok(err)
	_, second, err := client.Health().Service("consul", "", false, options)
	ok(err)
	same(second.LastIndex, first.LastIndex)
	same(second.CacheHit, true)
}

func testKeys() {
	kv, at := client.KV(), "go/"+node+"/"
	none, meta, err := kv.Get(at+"a", nil)
	ok(err)
	holds("nothing, with an index", none == nil && meta.LastIndex > 0)
	_, err = kv.Put(&api.KVPair{Key: at + "a", Value: []byte{0, 255, 10}, Flags: 1<<64 - 1}, nil)
	ok(err)
	pair, _, err := kv.Get(at+"a", nil)
	ok(err)
	same(pair.Value, []byte{0, 255, 10})
	same(pair.Flags, uint64(1<<64-1))
	pair.Value = []byte("two")
	did, _, err := kv.CAS(pair, nil)
	ok(err)
	same(did, true)
	did, _, err = kv.CAS(pair, nil)
	ok(err)
	same(did, false)
	did, _, err = kv.DeleteCAS(pair, nil)
	ok(err)
	same(did, false)
	_, err = kv.Put(&api.KVPair{Key: at + "dir/ü ?%&", Value: []byte("odd")}, nil)
	ok(err)
	keys, _, err := kv.Keys(at, "/", nil)
	ok(err)
	same(keys, []string{at + "a", at + "dir/"})
	pairs, _, err := kv.List(at, nil)
	ok(err)
	same([]string{pairs[0].Key, pairs[1].Key}, []string{at + "a", at + "dir/ü ?%&"})
	pair, _, err = kv.Get(at+"dir/ü ?%&", nil)
	ok(err)
	same(string(pair.Value), "odd")
	_, err = kv.DeleteTree(at, nil)
	ok(err)
	pairs, _, err = kv.List(at, nil)
	ok(err)
	same(len(pairs), 0)
}

func testWaiting() {
	kv, key := client.KV(), "go/"+node+"/waited"
	_, meta, err := kv.Get(key, nil)
	ok(err)
	got := make(chan *api.KVPair, 1)
	go func() {
		pair, _, err := kv.Get(key, &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 20 * time.Second})
		if err == nil {
			got <- pair
		}
	}()
	time.Sleep(100 * time.Millisecond)
	_, err = kv.Put(&api.KVPair{Key: key, Value: []byte("now")}, nil)
	ok(err)
	same(string(soon("the wait ends", got).Value), "now")
	_, meta, err = kv.Get(key, nil)
	ok(err)
	started := time.Now()
	_, again, err := kv.Get(key, &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 300 * time.Millisecond})
	ok(err)
	same(again.LastIndex, meta.LastIndex)
	holds("it waited", time.Since(started) >= 300*time.Millisecond)
	canceled, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	waiting := &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: time.Minute}
	_, _, err = kv.Get(key, waiting.WithContext(canceled))
	holds("whoever goes away is let go", errors.Is(err, context.DeadlineExceeded))
	_, err = kv.Delete(key, nil)
	ok(err)
}

func testSessions() {
	sessions := client.Session()
	id, _, err := sessions.Create(&api.SessionEntry{
		Name: "go", TTL: "10s", LockDelay: 2 * time.Second, Behavior: api.SessionBehaviorDelete,
	}, nil)
	ok(err)
	entry, _, err := sessions.Info(id, nil)
	ok(err)
	same([]any{entry.Name, entry.Node, entry.TTL, entry.LockDelay, entry.Behavior}, []any{"go", node, "10s", 2 * time.Second, "delete"})
	same(entry.NodeChecks, []string{"serfHealth"})
	bare, _, err := sessions.CreateNoChecks(&api.SessionEntry{Name: "bare"}, nil)
	ok(err)
	entry, _, err = sessions.Info(bare, nil)
	ok(err)
	same(len(entry.NodeChecks), 0)
	same(entry.LockDelay, 15*time.Second)
	done := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- sessions.RenewPeriodic("10s", id, nil, done) }()
	listed, _, err := sessions.Node(node, nil)
	ok(err)
	holds("both are listed", len(listed) >= 2)
	// Ending the renewal destroys the session.
	close(done)
	ok(soon("the renewal ends", ended))
	entry, _, err = sessions.Info(id, nil)
	ok(err)
	holds("the session is gone", entry == nil)
	entry, _, err = sessions.Renew(id, nil)
	ok(err)
	holds("a session that is gone is renewed as nothing", entry == nil)
	_, err = sessions.Destroy(bare, nil)
	ok(err)
}

func testLock() {
	key := "go/" + node + "/lock"
	options := func(value string) *api.LockOptions {
		return &api.LockOptions{Key: key, Value: []byte(value), LockDelay: time.Millisecond, SessionTTL: "60s"}
	}
	one, err := client.LockOpts(options("one"))
	ok(err)
	lost, err := one.Lock(nil)
	ok(err)
	pair, _, err := client.KV().Get(key, nil)
	ok(err)
	same(string(pair.Value), "one")
	same(pair.Flags, uint64(api.LockFlagValue))

	once := options("once")
	once.LockTryOnce, once.LockWaitTime = true, 200*time.Millisecond
	other, err := client.LockOpts(once)
	ok(err)
	none, err := other.Lock(nil)
	ok(err)
	holds("a held lock is not given", none == nil)

	two, err := client.LockOpts(options("two"))
	ok(err)
	given := make(chan (<-chan struct{}), 1)
	go func() {
		if held, err := two.Lock(nil); err == nil {
			given <- held
		}
	}()
	time.Sleep(100 * time.Millisecond)
	same(one.Destroy(), api.ErrLockHeld)
	ok(one.Unlock())
	soon("the first is told", lost)
	lost = soon("the second has it", given)
	same(one.Destroy(), api.ErrLockInUse)
	// Whoever takes the session away takes the lock away.
	pair, _, err = client.KV().Get(key, nil)
	ok(err)
	_, err = client.Session().Destroy(pair.Session, nil)
	ok(err)
	soon("the second is told", lost)
	ok(two.Unlock())
	ok(two.Destroy())
	pair, _, err = client.KV().Get(key, nil)
	ok(err)
	holds("the key is gone", pair == nil)
	_, err = client.KV().Put(&api.KVPair{Key: key, Flags: 7}, nil)
	ok(err)
	_, err = one.Lock(nil)
	same(err, api.ErrLockConflict)
	_, err = client.KV().Delete(key, nil)
	ok(err)
}

func testSemaphore() {
	prefix := "go/" + node + "/semaphore"
	make2 := func() *api.Semaphore {
		made, err := client.SemaphoreOpts(&api.SemaphoreOptions{Prefix: prefix, Limit: 2, SessionTTL: "60s"})
		ok(err)
		return made
	}
	one, two, three := make2(), make2(), make2()
	_, err := one.Acquire(nil)
	ok(err)
	lost, err := two.Acquire(nil)
	ok(err)
	given := make(chan error, 1)
	go func() {
		_, err := three.Acquire(nil)
		given <- err
	}()
	select {
	case <-given:
		fail("three of two")
	case <-time.After(300 * time.Millisecond):
	}
	ok(one.Release())
	ok(soon("the third has a place", given))
	same(one.Destroy(), api.ErrSemaphoreInUse)
	_, err = client.KV().DeleteTree(prefix, nil)
	ok(err)
	soon("its holders are told that it is gone", lost)
}

func testTransactions() {
	key := "go/" + node + "/txn"
	did, answer, _, err := client.Txn().Txn(api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVSet, Key: key, Value: []byte("1"), Flags: 3}},
		{KV: &api.KVTxnOp{Verb: api.KVGet, Key: key}},
		{Node: &api.NodeTxnOp{Verb: api.NodeGet, Node: api.Node{Node: node}}},
		{Service: &api.ServiceTxnOp{Verb: api.ServiceGet, Node: "server-1", Service: api.AgentService{ID: "consul"}}},
		{Check: &api.CheckTxnOp{Verb: api.CheckGet, Check: api.HealthCheck{Node: node, CheckID: "serfHealth"}}},
	}, nil)
	ok(err)
	same(did, true)
	same(string(answer.Results[1].KV.Value), "1")
	same(answer.Results[2].Node.Node, node)
	same(answer.Results[3].Service.Service, "consul")
	same(answer.Results[4].Check.Status, api.HealthPassing)
	did, answer, _, err = client.Txn().Txn(api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVDelete, Key: key}},
		{KV: &api.KVTxnOp{Verb: api.KVCheckIndex, Key: key, Index: 1}},
	}, nil)
	ok(err)
	same(did, false)
	same(answer.Errors[0].OpIndex, 1)
	did, old, _, err := client.KV().Txn(api.KVTxnOps{{Verb: api.KVGet, Key: key}}, nil)
	ok(err)
	same(did, true)
	same(string(old.Results[0].Value), "1")
	_, err = client.KV().Delete(key, nil)
	ok(err)
}

func testEvents() {
	events, name := client.Event(), "go-deploy-"+node
	id, _, err := events.Fire(&api.UserEvent{Name: name, Payload: []byte("v1")}, nil)
	ok(err)
	var seen []*api.UserEvent
	var meta *api.QueryMeta
	eventually("it is listed", func() bool {
		seen, meta, err = events.List(name, nil)
		ok(err)
		return len(seen) == 1
	})
	same([]string{seen[0].ID, string(seen[0].Payload)}, []string{id, "v1"})
	// The index of a list is made of its newest event.
	same(meta.LastIndex, events.IDToIndex(id))
}

func testPreparedQueries() {
	queries, service := client.PreparedQuery(), "go-queried-"+node
	ok(client.Agent().ServiceRegister(&api.AgentServiceRegistration{Name: service, Port: 99, Tags: []string{"a"}}))
	eventually("it is in the catalog", func() bool {
		entries, _, err := client.Health().Service(service, "", true, nil)
		ok(err)
		return len(entries) == 1
	})
	query := &api.PreparedQueryDefinition{
		Name:    "go-find-" + node,
		Service: api.ServiceQuery{Service: service, OnlyPassing: true, Tags: []string{"a", "!b"}},
		DNS:     api.QueryDNSOptions{TTL: "7s"},
	}
	id, _, err := queries.Create(query, nil)
	ok(err)
	answer, _, err := queries.Execute(query.Name, &api.QueryOptions{Near: "_agent"})
	ok(err)
	same(len(answer.Nodes), 1)
	same([]any{answer.Nodes[0].Service.Port, answer.DNS.TTL, answer.Datacenter}, []any{99, "7s", "dc1"})
	kept, _, err := queries.Get(id, nil)
	ok(err)
	same(kept[0].Service.Tags, query.Service.Tags)
	query.ID, query.Service.Tags = id, []string{"b"}
	_, err = queries.Update(query, nil)
	ok(err)
	answer, _, err = queries.Execute(id, nil)
	ok(err)
	same(len(answer.Nodes), 0)
	all, _, err := queries.List(nil)
	ok(err)
	same(len(all), 1)
	_, err = queries.Delete(id, nil)
	ok(err)
	ok(client.Agent().ServiceDeregister(service))
}

func testConfigEntries() {
	entries, name := client.ConfigEntries(), "go-conf-"+node
	did, _, err := entries.Set(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: name, Protocol: "http"}, nil)
	ok(err)
	same(did, true)
	read, _, err := entries.Get(api.ServiceDefaults, name, nil)
	ok(err)
	same(read.(*api.ServiceConfigEntry).Protocol, "http")
	did, _, err = entries.CAS(read, read.GetModifyIndex()-1, nil)
	ok(err)
	same(did, false)
	for _, entry := range []api.ConfigEntry{
		// Both services of the splitter speak HTTP.
		&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "other", Protocol: "http"},
		&api.ServiceResolverConfigEntry{
			Kind: api.ServiceResolver, Name: name, DefaultSubset: "v1", ConnectTimeout: 3 * time.Second,
			Subsets: map[string]api.ServiceResolverSubset{"v1": {Filter: `Service.Meta.version == "1"`, OnlyPassing: true}},
		},
		&api.ServiceSplitterConfigEntry{
			Kind: api.ServiceSplitter, Name: name, Splits: []api.ServiceSplit{{Weight: 90, ServiceSubset: "v1"}, {Weight: 10, Service: "other"}},
		},
		&api.ServiceRouterConfigEntry{
			Kind: api.ServiceRouter, Name: name,
			Routes: []api.ServiceRoute{{
				Match:       &api.ServiceRouteMatch{HTTP: &api.ServiceRouteHTTPMatch{PathPrefix: "/api"}},
				Destination: &api.ServiceRouteDestination{Service: name, RequestTimeout: 5 * time.Second},
			}},
		},
	} {
		_, _, err = entries.Set(entry, nil)
		ok(err)
	}
	resolver, _, err := entries.Get(api.ServiceResolver, name, nil)
	ok(err)
	same(resolver.(*api.ServiceResolverConfigEntry).ConnectTimeout, 3*time.Second)
	router, _, err := entries.Get(api.ServiceRouter, name, nil)
	ok(err)
	same(router.(*api.ServiceRouterConfigEntry).Routes[0].Destination.RequestTimeout, 5*time.Second)
	chain, _, err := client.DiscoveryChain().Get(name, nil, nil)
	ok(err)
	same(chain.Chain.Protocol, "http")
	holds("it starts at the router", strings.HasPrefix(chain.Chain.StartNode, "router:"+name))
	chain, _, err = client.DiscoveryChain().Get(name, &api.DiscoveryChainOptions{OverrideConnectTimeout: 9 * time.Second}, nil)
	ok(err)
	same(chain.Chain.CustomizationHash != "", true)
	listed, _, err := entries.List(api.ServiceDefaults, nil)
	ok(err)
	same(len(listed), 2)
	_, err = entries.Delete(api.ServiceResolver, name, nil)
	refused(err, "does not have a subset named")
	for _, kind := range []string{api.ServiceRouter, api.ServiceSplitter, api.ServiceResolver, api.ServiceDefaults} {
		_, err = entries.Delete(kind, name, nil)
		ok(err)
	}
	_, err = entries.Delete(api.ServiceDefaults, "other", nil)
	ok(err)
	_, _, err = entries.Get(api.ServiceDefaults, name, nil)
	refused(err, "404")
}

func testIntentions() {
	connect, from, to := client.Connect(), "go-src-"+node, "go-dst-"+node
	entry := &api.ServiceIntentionsConfigEntry{
		Kind:    api.ServiceIntentions,
		Name:    to,
		Sources: []*api.SourceIntention{{Name: from, Action: api.IntentionActionDeny, Description: "no"}},
	}
	_, _, err := client.ConfigEntries().Set(entry, nil)
	ok(err)
	intention, _, err := connect.IntentionGetExact(from, to, nil)
	ok(err)
	same([]any{intention.Action, intention.Description, intention.Precedence}, []any{api.IntentionActionDeny, "no", 9})
	check := &api.IntentionCheck{Source: from, Destination: to}
	allowed, _, err := connect.IntentionCheck(check, nil)
	ok(err)
	same(allowed, false)
	_, err = connect.IntentionUpsert(&api.Intention{SourceName: from, DestinationName: to, Action: api.IntentionActionAllow}, nil)
	ok(err)
	allowed, _, err = connect.IntentionCheck(check, nil)
	ok(err)
	same(allowed, true)
	matched, _, err := connect.IntentionMatch(&api.IntentionMatch{By: api.IntentionMatchDestination, Names: []string{to}}, nil)
	ok(err)
	same(len(matched[to]), 1)
	all, _, err := connect.Intentions(&api.QueryOptions{Filter: `DestinationName == "` + to + `"`})
	ok(err)
	same(len(all), 1)
	roots, _, err := connect.CARoots(nil)
	ok(err)
	answer, err := client.Agent().ConnectAuthorize(&api.AgentAuthorizeParams{
		Target: to, ClientCertURI: "spiffe://" + roots.TrustDomain + "/ns/default/dc/dc1/svc/" + from, ClientCertSerial: "04",
	})
	ok(err)
	same(answer.Authorized, true)
	_, err = connect.IntentionDeleteExact(from, to, nil)
	ok(err)
	intention, _, err = connect.IntentionGetExact(from, to, nil)
	ok(err)
	holds("it is gone", intention == nil)
}

func testCertificates() {
	agent := client.Agent()
	roots, meta, err := agent.ConnectCARoots(nil)
	ok(err)
	same([]any{len(roots.Roots), roots.Roots[0].Active}, []any{1, true})
	holds("the roots can be waited for", meta.LastIndex > 0)
	leaf, meta, err := agent.ConnectCALeaf("go-web", nil)
	ok(err)
	same([]string{leaf.Service, leaf.ServiceURI}, []string{"go-web", "spiffe://" + roots.TrustDomain + "/ns/default/dc/dc1/svc/go-web"})
	holds("it holds now", leaf.ValidAfter.Before(time.Now()) && leaf.ValidBefore.After(time.Now()))
	again, _, err := agent.ConnectCALeaf("go-web", &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 200 * time.Millisecond})
	ok(err)
	same(again.SerialNumber, leaf.SerialNumber)
	config, _, err := client.Connect().CAGetConfig(nil)
	ok(err)
	same(config.Provider, "consul")
}

func testWatchPlans() {
	results := map[string]chan any{}
	plans := map[string]map[string]any{
		"key":           {"key": "go/" + node + "/seen"},
		"keyprefix":     {"prefix": "go/" + node + "/seen"},
		"services":      {},
		"nodes":         {},
		"service":       {"service": "go-seen-" + node},
		"checks":        {"service": "go-seen-" + node},
		"event":         {"name": "go-seen-" + node},
		"connect_roots": {},
		"connect_leaf":  {"service": "go-seen"},
		"agent_service": {"service_id": "go-seen-" + node},
	}
	ok(client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		Name: "go-seen-" + node, Check: &api.AgentServiceCheck{TTL: "300s"},
	}))
	for kind, params := range plans {
		params["type"] = kind
		plan, err := watch.Parse(params)
		ok(err)
		plan.LogOutput = io.Discard
		seen := make(chan any, 100)
		results[kind] = seen
		plan.HybridHandler = func(_ watch.BlockingParamVal, result any) { seen <- result }
		go func() { _ = plan.RunWithClientAndHclog(client, nil) }()
		defer plan.Stop()
	}
	// until reads results of a watch until one is as wanted.
	until := func(kind string, wanted func(any) bool) {
		deadline := time.After(within)
		for {
			select {
			case result := <-results[kind]:
				if wanted(result) {
					return
				}
			case <-deadline:
				fail("the watch %s has not said so", kind)
			}
		}
	}
	until("connect_roots", func(result any) bool { return len(result.(*api.CARootList).Roots) == 1 })
	until("connect_leaf", func(result any) bool { return result.(*api.LeafCert).Service == "go-seen" })
	until("nodes", func(result any) bool { return len(result.([]*api.Node)) >= 2 })
	until("agent_service", func(result any) bool { return result.(*api.AgentService).Port == 0 })
	_, err := client.KV().Put(&api.KVPair{Key: "go/" + node + "/seen", Value: []byte("x")}, nil)
	ok(err)
	until("key", func(result any) bool {
		pair, is := result.(*api.KVPair)
		return is && pair != nil && string(pair.Value) == "x"
	})
	until("keyprefix", func(result any) bool { return len(result.(api.KVPairs)) == 1 })
	ok(client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		Name: "go-seen-" + node, Port: 7, Tags: []string{"t"}, Check: &api.AgentServiceCheck{TTL: "300s"},
	}))
	until("agent_service", func(result any) bool { return result.(*api.AgentService).Port == 7 })
	until("services", func(result any) bool { return len(result.(map[string][]string)["go-seen-"+node]) == 1 })
	until("service", func(result any) bool {
		entries := result.([]*api.ServiceEntry)
		return len(entries) == 1 && entries[0].Service.Port == 7
	})
	ok(client.Agent().PassTTL("service:go-seen-"+node, "well"))
	until("checks", func(result any) bool {
		checks := result.([]*api.HealthCheck)
		return len(checks) == 1 && checks[0].Status == api.HealthPassing
	})
	_, _, err = client.Event().Fire(&api.UserEvent{Name: "go-seen-" + node}, nil)
	ok(err)
	until("event", func(result any) bool { return len(result.([]*api.UserEvent)) == 1 })
	ok(client.Agent().ServiceDeregister("go-seen-" + node))
	until("service", func(result any) bool { return len(result.([]*api.ServiceEntry)) == 0 })
}

func testNamespaces() {
	name := "go-" + strings.ReplaceAll(node, "_", "-")
	made, _, err := client.Namespaces().Create(&api.Namespace{Name: name, Description: "d"}, nil)
	ok(err)
	same([]string{made.Name, made.Description}, []string{name, "d"})
	own := &api.WriteOptions{Namespace: name}
	_, err = client.KV().Put(&api.KVPair{Key: "go/ns", Value: []byte("own")}, own)
	ok(err)
	pair, _, err := client.KV().Get("go/ns", &api.QueryOptions{Namespace: name})
	ok(err)
	same(string(pair.Value), "own")
	pair, _, err = client.KV().Get("go/ns", nil)
	ok(err)
	holds("the default has none", pair == nil)
	listed, _, err := client.Namespaces().List(nil)
	ok(err)
	holds("it is listed", len(listed) >= 2)
	_, err = client.KV().Delete("go/ns", own)
	ok(err)
	_, err = client.Namespaces().Delete(name, nil)
	ok(err)
}

func testOperator() {
	operator := client.Operator()
	raft, err := operator.RaftGetConfiguration(nil)
	ok(err)
	same([]any{len(raft.Servers), raft.Servers[0].Node, raft.Servers[0].Leader}, []any{1, "server-1", true})
	config, err := operator.AutopilotGetConfiguration(nil)
	ok(err)
	same(config.LastContactThreshold.Duration(), 200*time.Millisecond)
	did, err := operator.AutopilotCASConfiguration(config, nil)
	ok(err)
	same(did, true)
	health, err := operator.AutopilotServerHealth(nil)
	ok(err)
	same([]any{health.Healthy, len(health.Servers), health.Servers[0].SerfStatus}, []any{true, 1, "alive"})
	state, err := operator.AutopilotState(nil)
	ok(err)
	same(state.Healthy, true)
	usage, _, err := operator.Usage(nil)
	ok(err)
	holds("nodes are counted", usage.Usage["dc1"].Nodes >= 2)
}

func testStreams() {
	stop := make(chan struct{})
	lines, err := client.Agent().Monitor("debug", stop, nil)
	ok(err)
	// A line is written while somebody reads.
	ok(client.Agent().Reload())
	holds("a line of the log comes", soon("a line of the log", lines) != "")
	close(stop)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := client.Agent().MetricsStream(ctx)
	ok(err)
	defer stream.Close()
	head := make([]byte, 64)
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(stream, head)
		read <- err
	}()
	ok(soon("the first metrics", read))
	holds("they are JSON", bytes.HasPrefix(head, []byte("{")))
}

func testSnapshot() {
	key := "go/" + node + "/saved"
	_, err := client.KV().Put(&api.KVPair{Key: key, Value: []byte("before")}, nil)
	ok(err)
	archive, meta, err := client.Snapshot().Save(nil)
	ok(err)
	saved, err := io.ReadAll(archive)
	ok(err)
	ok(archive.Close())
	holds("it says where it was taken", meta.LastIndex > 0)
	_, err = client.KV().Put(&api.KVPair{Key: key, Value: []byte("after")}, nil)
	ok(err)
	ok(client.Snapshot().Restore(nil, bytes.NewReader(saved)))
	eventually("it is as before", func() bool {
		pair, _, err := client.KV().Get(key, nil)
		ok(err)
		return pair != nil && string(pair.Value) == "before"
	})
	err = client.Snapshot().Restore(nil, bytes.NewReader(saved[:len(saved)/2]))
	holds("half an archive is refused", err != nil)
	_, err = client.KV().Delete(key, nil)
	ok(err)
}

func testErrors() {
	_, _, err := client.Catalog().Nodes(&api.QueryOptions{Datacenter: "nowhere"})
	refused(err, "No path to datacenter")
	_, _, err = client.Catalog().Nodes(&api.QueryOptions{AllowStale: true, RequireConsistent: true})
	refused(err, "400")
	_, _, err = client.Catalog().Nodes(&api.QueryOptions{Filter: "Node =="})
	refused(err, "boolean expression")
	var status api.StatusError
	_, _, err = client.ACL().TokenList(nil)
	holds("it is a status error", errors.As(err, &status))
	same([]any{status.Code, status.Body}, []any{401, "ACL support disabled"})
	err = client.Agent().ServiceRegister(&api.AgentServiceRegistration{})
	refused(err, "400")
	_, _, err = client.Session().Create(&api.SessionEntry{TTL: "1s"}, nil)
	refused(err, "Invalid Session TTL")
}
