package simulated

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// Functions is what the plugin of simulated virtual functions is called by.
const Functions = "simulated-function-plugin"

// Where sysfs has RDMA devices, and the PCI devices they belong to.
const (
	classFolder = "class/infiniband"
	treeFolder  = "devices/pci0000:00"
)

// functions are virtual functions by their PCI addresses, with a copy of sysfs that has them. What a
// kernel shows of the functions that a container was given, this mounts into it.
type functions struct {
	addresses []string
	sysfs     string
	resource  string
}

// device returns the name of the RDMA device of a function; none where the driver made none.
func (f functions) device(address string) string {
	found, _ := os.ReadDir(filepath.Join(f.sysfs, classFolder))
	for _, one := range found {
		owner, err := os.Readlink(filepath.Join(f.sysfs, classFolder, one.Name(), "device"))
		if err == nil && filepath.Base(owner) == address {
			return one.Name()
		}
	}
	return ""
}

func (f functions) prepare() error {
	for _, address := range f.addresses {
		if _, err := os.Stat(filepath.Join(f.sysfs, treeFolder, address)); err != nil {
			return fmt.Errorf("look for function %s: %w", address, err)
		}
	}
	return nil
}

func (f functions) devices() []*api.Device {
	var all []*api.Device
	for _, address := range f.addresses {
		health := healthOf(filepath.Join(f.sysfs, treeFolder, address))
		all = append(all, &api.Device{ID: address, Health: health})
	}
	return all
}

// allocate mounts what sysfs has of each chosen function at its place in the container.
func (f functions) allocate(addresses []string) (*api.ContainerAllocateResponse, error) {
	answer := &api.ContainerAllocateResponse{}
	for _, address := range addresses {
		if !slices.Contains(f.addresses, address) {
			all := strings.Join(f.addresses, ", ")
			return nil, fmt.Errorf("allocate function %q: not one of %s", address, all)
		}
		folders := []string{filepath.Join(treeFolder, address)}
		if device := f.device(address); device != "" {
			folders = append(folders, filepath.Join(classFolder, device))
		}
		for _, folder := range folders {
			path := filepath.Join(f.sysfs, folder)
			answer.Mounts = append(answer.Mounts, &api.Mount{ContainerPath: path, HostPath: path, ReadOnly: true})
		}
	}
	// The name that the SR-IOV network device plugin gives it.
	name := strings.ToUpper(strings.NewReplacer("/", "_", ".", "_", "-", "_").Replace(f.resource))
	answer.Envs = map[string]string{"PCIDEVICE_" + name: strings.Join(addresses, ",")}
	return answer, nil
}

// NewFunctionCommand returns the command line of the plugin of simulated virtual functions.
func NewFunctionCommand() *cobra.Command {
	var f functions
	command := newCommand(Functions, "Advertise simulated virtual functions to the kubelet (a stand-in: there is no adapter)",
		`Advertise simulated virtual functions with RDMA devices to the kubelet.

THIS IS A STAND-IN FOR TESTS AND DEMONSTRATIONS. THERE IS NO ADAPTER BEHIND IT.
SYSFS is a folder laid out as /sys, with devices/pci0000:00/<address> for each function and
class/infiniband/<device> whose link "device" leads there. Containers find what belongs to the
functions they were given at the same path, read-only. On a cluster with adapters use the SR-IOV
network device plugin.

A file SYSFS/devices/pci0000:00/<address>.unhealthy makes the function unhealthy while it exists.`,
		"",
		func(resource string) (kind, error) {
			if !filepath.IsAbs(f.sysfs) {
				return nil, fmt.Errorf("check --sysfs %q: must be an absolute path", f.sysfs)
			}
			f.resource = resource
			return f, nil
		})
	flags := command.Flags()
	flags.StringSliceVar(&f.addresses, "functions", nil, "PCI addresses, by commas (required)")
	flags.StringVar(&f.sysfs, "sysfs", "", "folder laid out as /sys (required)")
	for _, one := range []string{"functions", "sysfs", "resource"} {
		_ = command.MarkFlagRequired(one)
	}
	return command
}
