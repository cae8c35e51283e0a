// Consul's own Go client against an agent. Every function named test... is a scenario.
//
//	go-api HOST:PORT NODE            runs the scenarios; a line {"name", "error"} for each, error null or a text
//	go-api HOST:PORT NODE hold KEY   holds a lock and watches until it is told to end; a line {"event", …} for each thing
//
// NODE is the agent's own node.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/consul/api"
)

var (
	client *api.Client
	node   string
)

func main() {
	address := os.Args[1]
	node = os.Args[2]
	var err error
	if client, err = api.NewClient(&api.Config{Address: address}); err != nil {
		panic(err)
	}
	if len(os.Args) > 4 && os.Args[3] == "hold" {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
		hold(os.Args[4], stop)
		return
	}
	for _, one := range scenarios {
		report(map[string]any{"name": one.name, "error": run(one.run)})
	}
}
