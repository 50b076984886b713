// The simulated device plugins alone, for machines whose Kubernetes programs were not built here.
// The name it is called by chooses.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"

	"sunk.dev/local/kube/simulated"
)

func main() {
	switch called := filepath.Base(os.Args[0]); called {
	case simulated.GPUs:
		os.Exit(cli.Run(simulated.NewGPUCommand()))
	case simulated.Functions:
		os.Exit(cli.Run(simulated.NewFunctionCommand()))
	default:
		fmt.Fprintf(os.Stderr, "call it %s or %s, not %s\n", simulated.GPUs, simulated.Functions, called)
		os.Exit(2)
	}
}
