// Command apiserver is Kubernetes' own kube-apiserver, built from the published Go modules for the tests. Further
// components are chosen by the name the program is started under; only the one the tests need is linked in.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

var components = map[string]func() *cobra.Command{
	"kube-apiserver": apiserver.NewAPIServerCommand,
}

func main() {
	name := filepath.Base(os.Args[0])
	component, known := components[name]
	if !known {
		fmt.Fprintf(os.Stderr, "no component is named %q; start this program as kube-apiserver\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(component()))
}
