// One program that is all of Kubernetes that the local cluster runs. The name it is called by
// chooses (a link per program), else the first argument. One binary because the five share most
// of their code: it builds in the time of one, and takes a third of the space.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"sunk.dev/local/kube/simulated"
)

// Constructors, not commands: each registers flags and feature gates process-wide, so only the
// chosen one may run.
var programs = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
	simulated.GPUs:            simulated.NewGPUCommand,
	simulated.Functions:       simulated.NewFunctionCommand,
}

func names() string {
	var all []string
	for name := range programs {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func main() {
	called := filepath.Base(os.Args[0])
	constructor, known := programs[called]
	if !known && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		constructor, known = programs[os.Args[0]]
	}
	if !known {
		fmt.Fprintf(os.Stderr, "usage: %s PROGRAM [ARGUMENT...]\nprograms: %s\n", called, names())
		os.Exit(2)
	}
	os.Exit(cli.Run(constructor()))
}
