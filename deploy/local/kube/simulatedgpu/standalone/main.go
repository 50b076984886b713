// The simulated GPU plugin alone, for machines whose Kubernetes programs were not built here.
package main

import (
	"os"

	"k8s.io/component-base/cli"

	"sunk.dev/local/kube/simulatedgpu"
)

func main() {
	os.Exit(cli.Run(simulatedgpu.NewCommand()))
}
