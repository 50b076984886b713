package simulated

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
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	// How often health files and sockets are looked at. The kubelet removes every plugin's socket
	// when it starts; polling sees that wherever the folder is mounted from, inotify does not.
	pollInterval = 500 * time.Millisecond
	callTimeout  = 5 * time.Second
)

// kind is what differs between simulated devices.
type kind interface {
	// prepare makes what the devices need, once.
	prepare() error
	// devices returns the state of all devices, in order.
	devices() []*api.Device
	// allocate returns what a container gets for these devices, whose names come sorted.
	allocate(ids []string) (*api.ContainerAllocateResponse, error)
}

// plugin answers the kubelet's device plugin calls (v1beta1).
type plugin struct {
	api.UnimplementedDevicePluginServer
	kind
	resource  string
	socketDir string
}

// socketName tells plugins of several resources apart.
func (p *plugin) socketName() string {
	return "simulated-" + strings.NewReplacer("/", "-", ".", "-").Replace(p.resource) + ".sock"
}

// healthOf says that a device is unhealthy while its file PATH.unhealthy exists.
func healthOf(path string) string {
	if _, err := os.Stat(path + ".unhealthy"); err == nil {
		return api.Unhealthy
	}
	return api.Healthy
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

// Allocate gives each container what the kind of device gives for the chosen ones.
func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	response := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		answer, err := p.allocate(slices.Sorted(slices.Values(container.DevicesIds)))
		if err != nil {
			return nil, err
		}
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
		Endpoint:     p.socketName(),
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
	ours := filepath.Join(p.socketDir, p.socketName())
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
	log.Printf("registered %d simulated %s", len(p.devices()), p.resource)
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

func run(ctx context.Context, p *plugin) error {
	if err := p.prepare(); err != nil {
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
