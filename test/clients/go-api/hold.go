package main

import (
	"io"
	"os"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/consul/api/watch"
)

// hold takes a lock as services with a leader do, with retries, and watches a service's healthy instances.
func hold(key string, stop <-chan os.Signal) {
	plan, err := watch.Parse(map[string]any{"type": "service", "service": "held", "passingonly": true})
	if err != nil {
		panic(err)
	}
	plan.LogOutput = io.Discard
	plan.HybridHandler = func(_ watch.BlockingParamVal, result any) {
		ids := []string{}
		for _, entry := range result.([]*api.ServiceEntry) {
			ids = append(ids, entry.Service.ID)
		}
		report(map[string]any{"event": "instances", "ids": ids})
	}
	go func() {
		if err := plan.RunWithClientAndHclog(client, nil); err != nil {
			report(map[string]any{"event": "watch ended", "error": err.Error()})
		}
	}()

	lock, err := client.LockOpts(&api.LockOptions{Key: key, SessionTTL: "60s", MonitorRetries: 20, LockDelay: 1})
	if err != nil {
		panic(err)
	}
	lost, err := lock.Lock(nil)
	for err != nil {
		// Waiting for a lock ends with an error when the server goes away: whoever wants it asks again.
		report(map[string]any{"event": "again", "error": err.Error()})
		time.Sleep(200 * time.Millisecond)
		lost, err = lock.Lock(nil)
	}
	report(map[string]any{"event": "locked"})
	select {
	case <-lost:
		report(map[string]any{"event": "lost"})
	case <-stop:
		if err := lock.Unlock(); err != nil {
			panic(err)
		}
		report(map[string]any{"event": "unlocked"})
	}
}
