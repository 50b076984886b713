// Package simulatedgpu is a STAND-IN for a GPU vendor's device plugin. There is no GPU behind it:
// it advertises nvidia.com/gpu to the kubelet and hands containers null devices under a GPU's
// name, so that scheduling, Gres accounting and recovery can be exercised on any machine.
package simulatedgpu

import (
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

// Name is what the program is called by.
const Name = "simulated-gpu-plugin"

type options struct {
	count     int
	deviceDir string
	socketDir string
	resource  string
}

func (o options) check() error {
	if o.count < 1 {
		return fmt.Errorf("check --count %d: must be 1 or more", o.count)
	}
	if !filepath.IsAbs(o.deviceDir) {
		return fmt.Errorf("check --device-dir %q: must be an absolute path", o.deviceDir)
	}
	if o.resource == "" {
		return errors.New("check --resource: must not be empty")
	}
	return nil
}

// NewCommand returns the command line of the plugin.
func NewCommand() *cobra.Command {
	var o options
	command := &cobra.Command{
		Use:   Name,
		Short: "Advertise simulated GPUs to the kubelet (a stand-in: there is no GPU)",
		Long: `Advertise simulated GPUs to the kubelet.

THIS IS A STAND-IN FOR TESTS AND DEMONSTRATIONS. THERE IS NO GPU BEHIND IT.
Each device is a copy of /dev/null named nvidia<i>; a program that opens it finds no GPU.
On a cluster with GPUs use the vendor's device plugin.

A file DEVICE-DIR/nvidia<i>.unhealthy makes device i unhealthy for as long as it exists.`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return run(ctx, o)
		},
	}
	flags := command.Flags()
	flags.IntVar(&o.count, "count", 0, "number of simulated devices (required)")
	flags.StringVar(&o.deviceDir, "device-dir", "", "folder of the device files nvidia<i>, made when missing (required)")
	flags.StringVar(&o.socketDir, "socket-dir", "/var/lib/kubelet/device-plugins", "folder of the kubelet's socket and of ours")
	flags.StringVar(&o.resource, "resource", "nvidia.com/gpu", "extended resource to advertise")
	_ = command.MarkFlagRequired("count")
	_ = command.MarkFlagRequired("device-dir")
	return command
}
