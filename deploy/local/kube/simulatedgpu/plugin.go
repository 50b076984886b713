package simulatedgpu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	socketName = "simulated-gpu.sock"
	// How often health files and sockets are looked at. The kubelet removes every plugin's socket
	// when it starts; polling sees that wherever the folder is mounted from, inotify does not.
	pollInterval = 500 * time.Millisecond
	callTimeout  = 5 * time.Second
	// S_IFCHR with a null device's numbers: opening it works, using it as a GPU does not.
	nullDevice = 1<<8 | 3
)

// plugin answers the kubelet's device plugin calls (v1beta1).
type plugin struct {
	api.UnimplementedDevicePluginServer
	options
}

func (p *plugin) path(index int) string {
	return filepath.Join(p.deviceDir, fmt.Sprintf("nvidia%d", index))
}

// makeDevices creates the device files that are missing and refuses others of the same name.
func (p *plugin) makeDevices() error {
	if err := os.MkdirAll(p.deviceDir, 0o755); err != nil {
		return fmt.Errorf("make device folder: %w", err)
	}
	for index := range p.count {
		path := p.path(index)
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
func (p *plugin) devices() []*api.Device {
	all := make([]*api.Device, p.count)
	for index := range p.count {
		health := api.Healthy
		if _, err := os.Stat(p.path(index) + ".unhealthy"); err == nil {
			health = api.Unhealthy
		}
		all[index] = &api.Device{ID: strconv.Itoa(index), Health: health}
	}
	return all
}

func healths(devices []*api.Device) string {
	var text strings.Builder
	for _, device := range devices {
		text.WriteString(device.ID + "=" + device.Health + " ")
	}
	return strings.TrimSpace(text.String())
}

// GetDevicePluginOptions says that no optional call is offered.
func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

// ListAndWatch sends all devices at once and again whenever a health changes.
func (p *plugin) ListAndWatch(_ *api.Empty, stream api.DevicePlugin_ListAndWatchServer) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	sent := ""
	for {
		devices := p.devices()
		if now := healths(devices); now != sent {
			log.Printf("devices of %s: %s", p.resource, now)
			if err := stream.Send(&api.ListAndWatchResponse{Devices: devices}); err != nil {
				return err
			}
			sent = now
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Allocate maps each chosen host device to /dev/nvidia<i> of the container.
func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	response := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		answer := &api.ContainerAllocateResponse{}
		var chosen []int
		for _, id := range container.DevicesIds {
			index, err := strconv.Atoi(id)
			if err != nil || index < 0 || index >= p.count {
				return nil, fmt.Errorf("allocate device %q: not one of the %d devices", id, p.count)
			}
			chosen = append(chosen, index)
		}
		var visible []string
		for _, index := range slices.Sorted(slices.Values(chosen)) {
			visible = append(visible, strconv.Itoa(index))
			answer.Devices = append(answer.Devices, &api.DeviceSpec{
				HostPath:      p.path(index),
				ContainerPath: fmt.Sprintf("/dev/nvidia%d", index),
				Permissions:   "rw",
			})
		}
		answer.Envs = map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(visible, ",")}
		response.ContainerResponses = append(response.ContainerResponses, answer)
	}
	return response, nil
}

// register announces our socket to the kubelet.
func (p *plugin) register(ctx context.Context) error {
	connection, err := grpc.NewClient(
		"unix://"+filepath.Join(p.socketDir, filepath.Base(api.KubeletSocket)),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	if err != nil {
		return fmt.Errorf("reach the kubelet: %w", err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = api.NewRegistrationClient(connection).Register(ctx, &api.RegisterRequest{
		Version:      api.Version,
		Endpoint:     socketName,
		ResourceName: p.resource,
	})
	if err != nil {
		return fmt.Errorf("register %s with the kubelet: %w", p.resource, err)
	}
	return nil
}

// serveOnce listens, registers and returns nil when the kubelet restarted: it removes our socket,
// or makes its own anew.
func (p *plugin) serveOnce(ctx context.Context) error {
	kubelet := filepath.Join(p.socketDir, filepath.Base(api.KubeletSocket))
	before, err := os.Stat(kubelet)
	if err != nil {
		return fmt.Errorf("look for the kubelet: %w", err)
	}
	ours := filepath.Join(p.socketDir, socketName)
	if err := os.Remove(ours); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove an old socket: %w", err)
	}
	listener, err := net.Listen("unix", ours)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", ours, err)
	}
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, p)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	if err := p.register(ctx); err != nil {
		return err
	}
	log.Printf("registered %d simulated %s (no GPU behind them)", p.count, p.resource)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollInterval):
		}
		if _, err := os.Stat(ours); err != nil {
			return nil
		}
		// A changed time as well as inode: a new socket may get the old one's inode number.
		now, err := os.Stat(kubelet)
		if err != nil || !os.SameFile(before, now) || !before.ModTime().Equal(now.ModTime()) {
			return nil
		}
	}
}

func run(ctx context.Context, o options) error {
	p := &plugin{options: o}
	if err := p.makeDevices(); err != nil {
		return err
	}
	said := ""
	for ctx.Err() == nil {
		err := p.serveOnce(ctx)
		if err != nil && err.Error() != said {
			// The kubelet may start after us: say it once, and try again.
			log.Printf("%v; trying again", err)
			said = err.Error()
		} else if err == nil {
			said = ""
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
	return nil
}
