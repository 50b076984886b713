package simulated

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// kubelet is the kubelet's side of the registration.
type kubelet struct {
	api.UnimplementedRegistrationServer
	requests chan *api.RegisterRequest
	server   *grpc.Server
}

func (k *kubelet) Register(_ context.Context, request *api.RegisterRequest) (*api.Empty, error) {
	k.requests <- request
	return &api.Empty{}, nil
}

// startKubelet does as the kubelet does when it starts: removes every socket, then listens.
func startKubelet(t *testing.T, folder string) *kubelet {
	t.Helper()
	sockets, _ := filepath.Glob(filepath.Join(folder, "*.sock"))
	for _, socket := range sockets {
		_ = os.Remove(socket)
	}
	listener, err := net.Listen("unix", filepath.Join(folder, "kubelet.sock"))
	if err != nil {
		t.Fatal(err)
	}
	k := &kubelet{requests: make(chan *api.RegisterRequest, 8), server: grpc.NewServer()}
	api.RegisterRegistrationServer(k.server, k)
	go func() { _ = k.server.Serve(listener) }()
	t.Cleanup(k.server.Stop)
	return k
}

func (k *kubelet) registered(t *testing.T) *api.RegisterRequest {
	t.Helper()
	select {
	case request := <-k.requests:
		return request
	case <-time.After(20 * time.Second):
		t.Fatal("the plugin did not register")
		return nil
	}
}

// startGPUs runs a plugin of three GPUs.
func startGPUs(t *testing.T) (gpus, *plugin, *kubelet, api.DevicePluginClient) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root, for device files")
	}
	g := gpus{count: 3, deviceDir: filepath.Join(t.TempDir(), "dev")}
	p, k, client := start(t, g, "nvidia.com/gpu")
	return g, p, k, client
}

func start(t *testing.T, devices kind, resource string) (*plugin, *kubelet, api.DevicePluginClient) {
	t.Helper()
	p := &plugin{kind: devices, socketDir: t.TempDir(), resource: resource}
	k := startKubelet(t, p.socketDir)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, p) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	request := k.registered(t)
	if request.ResourceName != resource || request.Version != "v1beta1" {
		t.Fatalf("registered %v", request)
	}
	connection, err := grpc.NewClient("unix://"+filepath.Join(p.socketDir, request.Endpoint), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return p, k, api.NewDevicePluginClient(connection)
}

func TestAllocateMapsTheChosenDevices(t *testing.T) {
	g, _, _, client := startGPUs(t)
	response, err := client.Allocate(context.Background(), &api.AllocateRequest{
		ContainerRequests: []*api.ContainerAllocateRequest{{DevicesIds: []string{"2", "0"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := response.ContainerResponses[0]
	if answer.Envs["NVIDIA_VISIBLE_DEVICES"] != "0,2" || len(answer.Devices) != 2 {
		t.Fatalf("answered %v", answer)
	}
	second := answer.Devices[1]
	if second.HostPath != filepath.Join(g.deviceDir, "nvidia2") || second.ContainerPath != "/dev/nvidia2" || second.Permissions != "rw" {
		t.Fatalf("mapped %v", second)
	}
	info, err := os.Stat(second.HostPath)
	if err != nil || info.Mode() != os.ModeDevice|os.ModeCharDevice|0o666 {
		t.Fatalf("made %v %v", info, err)
	}
}

func TestAllocateRefusesADeviceThatIsNotThere(t *testing.T) {
	_, _, _, client := startGPUs(t)
	_, err := client.Allocate(context.Background(), &api.AllocateRequest{
		ContainerRequests: []*api.ContainerAllocateRequest{{DevicesIds: []string{"3"}}},
	})
	if err == nil {
		t.Fatal("allocated device 3 of 3")
	}
}

func TestAHealthFileBreaksAndMendsADevice(t *testing.T) {
	g, _, _, client := startGPUs(t)
	stream, err := client.ListAndWatch(context.Background(), &api.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(g.deviceDir, "nvidia1.unhealthy")
	steps := []struct {
		act  func() error
		want string
	}{
		{func() error { return nil }, "0=Healthy 1=Healthy 2=Healthy"},
		{func() error { return os.WriteFile(file, nil, 0o644) }, "0=Healthy 1=Unhealthy 2=Healthy"},
		{func() error { return os.Remove(file) }, "0=Healthy 1=Healthy 2=Healthy"},
	}
	for _, step := range steps {
		if err := step.act(); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got := healths(response.Devices); got != step.want {
			t.Fatalf("got %s, want %s", got, step.want)
		}
	}
}

func TestARestartedKubeletGetsTheDevicesAgain(t *testing.T) {
	_, p, first, _ := startGPUs(t)
	first.server.Stop()
	second := startKubelet(t, p.socketDir)
	if request := second.registered(t); request.Endpoint != p.socketName() {
		t.Fatalf("registered %v", request)
	}
}

func TestAnOrdinaryFileInADevicesPlaceIsRefused(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "nvidia0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err := run(context.Background(), &plugin{kind: gpus{count: 1, deviceDir: folder}, socketDir: folder, resource: "nvidia.com/gpu"})
	if err == nil {
		t.Fatal("took a file for a device")
	}
}

// twoFunctions lays out two functions as sysfs has them, the second without an RDMA device.
func twoFunctions(t *testing.T) functions {
	t.Helper()
	f := functions{
		addresses: []string{"0000:3b:00.2", "0000:3b:00.3"},
		sysfs:     t.TempDir(),
		resource:  "sunk.dev/rail-0",
	}
	device := filepath.Join(f.sysfs, classFolder, "mlx5_2")
	for _, folder := range []string{
		device,
		filepath.Join(f.sysfs, treeFolder, "0000:3b:00.2"),
		filepath.Join(f.sysfs, treeFolder, "0000:3b:00.3"),
	} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../../devices/pci0000:00/0000:3b:00.2", filepath.Join(device, "device")); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAllocateMountsWhatSysfsHasOfTheChosenFunctionAlone(t *testing.T) {
	f := twoFunctions(t)
	_, _, client := start(t, f, f.resource)
	for id, want := range map[string][]string{
		"0000:3b:00.2": {"devices/pci0000:00/0000:3b:00.2", "class/infiniband/mlx5_2"},
		"0000:3b:00.3": {"devices/pci0000:00/0000:3b:00.3"},
	} {
		response, err := client.Allocate(context.Background(), &api.AllocateRequest{
			ContainerRequests: []*api.ContainerAllocateRequest{{DevicesIds: []string{id}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		answer := response.ContainerResponses[0]
		if answer.Envs["PCIDEVICE_SUNK_DEV_RAIL_0"] != id || len(answer.Mounts) != len(want) {
			t.Fatalf("answered %v", answer)
		}
		for index, path := range want {
			mount, full := answer.Mounts[index], filepath.Join(f.sysfs, path)
			if mount.ContainerPath != full || mount.HostPath != full || !mount.ReadOnly {
				t.Fatalf("mounts %v", mount)
			}
		}
	}
}

func TestAllocateRefusesAFunctionThatIsNotThere(t *testing.T) {
	f := twoFunctions(t)
	_, _, client := start(t, f, f.resource)
	_, err := client.Allocate(context.Background(), &api.AllocateRequest{
		ContainerRequests: []*api.ContainerAllocateRequest{{DevicesIds: []string{"0000:3b:00.9"}}},
	})
	if err == nil {
		t.Fatal("allocated a function that is not there")
	}
}

func TestAFunctionThatSysfsHasNotIsRefusedAtTheStart(t *testing.T) {
	f := twoFunctions(t)
	f.addresses = append(f.addresses, "0000:3b:00.4")
	if err := run(context.Background(), &plugin{kind: f, socketDir: t.TempDir(), resource: f.resource}); err == nil {
		t.Fatal("took a function that is not there")
	}
}
