// Package simulated holds STAND-INS for vendors' device plugins. There is no hardware behind them:
// they advertise resources to the kubelet and hand containers files in the devices' places, so that
// scheduling, accounting, checks and recovery can be exercised on any machine.
package simulated

import (
	"errors"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// newCommand returns a plugin's command line; check returns the devices once the flags are known.
func newCommand(name, short, long, resource string, check func(resource string) (kind, error)) *cobra.Command {
	p := &plugin{}
	command := &cobra.Command{
		Use:          name,
		Short:        short,
		Long:         long,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			if p.resource == "" {
				return errors.New("check --resource: must not be empty")
			}
			devices, err := check(p.resource)
			if err != nil {
				return err
			}
			p.kind = devices
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return run(ctx, p)
		},
	}
	flags := command.Flags()
	flags.StringVar(&p.socketDir, "socket-dir", "/var/lib/kubelet/device-plugins", "folder of the kubelet's socket and of ours")
	flags.StringVar(&p.resource, "resource", resource, "extended resource to advertise")
	return command
}
