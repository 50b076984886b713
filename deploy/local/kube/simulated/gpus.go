package simulated

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// GPUs is what the plugin of simulated GPUs is called by.
const GPUs = "simulated-gpu-plugin"

// S_IFCHR with a null device's numbers: opening it works, using it as a GPU does not.
const nullDevice = 1<<8 | 3

// gpus are null devices under a GPU's name.
type gpus struct {
	count     int
	deviceDir string
}

func (g gpus) path(index int) string {
	return filepath.Join(g.deviceDir, fmt.Sprintf("nvidia%d", index))
}

// prepare creates the device files that are missing and refuses others of the same name.
func (g gpus) prepare() error {
	if err := os.MkdirAll(g.deviceDir, 0o755); err != nil {
		return fmt.Errorf("make device folder: %w", err)
	}
	for index := range g.count {
		path := g.path(index)
		err := syscall.Mknod(path, syscall.S_IFCHR|0o666, nullDevice)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make device %s: %w", path, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("look at device %s: %w", path, err)
		}
		if info.Mode()&os.ModeCharDevice == 0 {
			return fmt.Errorf("use device %s: it exists and is no character device", path)
		}
		// mknod's mode went through the umask; jobs are not root.
		if err := os.Chmod(path, 0o666); err != nil {
			return fmt.Errorf("open device %s to everyone: %w", path, err)
		}
	}
	return nil
}

// devices returns the state of all devices; a device is unhealthy while its .unhealthy file exists.
func (g gpus) devices() []*api.Device {
	all := make([]*api.Device, g.count)
	for index := range g.count {
		all[index] = &api.Device{ID: strconv.Itoa(index), Health: healthOf(g.path(index))}
	}
	return all
}

// allocate maps each chosen host device to /dev/nvidia<i> of the container.
func (g gpus) allocate(ids []string) (*api.ContainerAllocateResponse, error) {
	var chosen []int
	for _, id := range ids {
		index, err := strconv.Atoi(id)
		if err != nil || index < 0 || index >= g.count {
			return nil, fmt.Errorf("allocate device %q: not one of the %d devices", id, g.count)
		}
		chosen = append(chosen, index)
	}
	slices.Sort(chosen)
	answer := &api.ContainerAllocateResponse{}
	var visible []string
	for _, index := range chosen {
		visible = append(visible, strconv.Itoa(index))
		answer.Devices = append(answer.Devices, &api.DeviceSpec{
			HostPath:      g.path(index),
			ContainerPath: fmt.Sprintf("/dev/nvidia%d", index),
			Permissions:   "rw",
		})
	}
	answer.Envs = map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(visible, ",")}
	return answer, nil
}

// NewGPUCommand returns the command line of the plugin of simulated GPUs.
func NewGPUCommand() *cobra.Command {
	var g gpus
	command := newCommand(GPUs, "Advertise simulated GPUs to the kubelet (a stand-in: there is no GPU)",
		`Advertise simulated GPUs to the kubelet.

THIS IS A STAND-IN FOR TESTS AND DEMONSTRATIONS. THERE IS NO GPU BEHIND IT.
Each device is a copy of /dev/null named nvidia<i>; a program that opens it finds no GPU.
On a cluster with GPUs use the vendor's device plugin.

A file DEVICE-DIR/nvidia<i>.unhealthy makes device i unhealthy for as long as it exists.`,
		"nvidia.com/gpu",
		func(string) (kind, error) {
			if g.count < 1 {
				return nil, fmt.Errorf("check --count %d: must be 1 or more", g.count)
			}
			if !filepath.IsAbs(g.deviceDir) {
				return nil, fmt.Errorf("check --device-dir %q: must be an absolute path", g.deviceDir)
			}
			return g, nil
		})
	flags := command.Flags()
	flags.IntVar(&g.count, "count", 0, "number of simulated devices (required)")
	flags.StringVar(&g.deviceDir, "device-dir", "", "folder of the device files nvidia<i>, made when missing (required)")
	_ = command.MarkFlagRequired("count")
	_ = command.MarkFlagRequired("device-dir")
	return command
}
