package simulatedgpu

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

func start(t *testing.T) (options, *kubelet, api.DevicePluginClient) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root, for device files")
	}
	o := options{count: 3, deviceDir: filepath.Join(t.TempDir(), "dev"), socketDir: t.TempDir(), resource: "nvidia.com/gpu"}
	k := startKubelet(t, o.socketDir)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	request := k.registered(t)
	if request.ResourceName != "nvidia.com/gpu" || request.Version != "v1beta1" {
		t.Fatalf("registered %v", request)
	}
	connection, err := grpc.NewClient("unix://"+filepath.Join(o.socketDir, request.Endpoint), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return o, k, api.NewDevicePluginClient(connection)
}

func TestAllocateMapsTheChosenDevices(t *testing.T) {
	o, _, client := start(t)
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
	if second.HostPath != filepath.Join(o.deviceDir, "nvidia2") || second.ContainerPath != "/dev/nvidia2" || second.Permissions != "rw" {
		t.Fatalf("mapped %v", second)
	}
	info, err := os.Stat(second.HostPath)
	if err != nil || info.Mode() != os.ModeDevice|os.ModeCharDevice|0o666 {
		t.Fatalf("made %v %v", info, err)
	}
}

func TestAllocateRefusesADeviceThatIsNotThere(t *testing.T) {
	_, _, client := start(t)
	_, err := client.Allocate(context.Background(), &api.AllocateRequest{
		ContainerRequests: []*api.ContainerAllocateRequest{{DevicesIds: []string{"3"}}},
	})
	if err == nil {
		t.Fatal("allocated device 3 of 3")
	}
}

func TestAHealthFileBreaksAndMendsADevice(t *testing.T) {
	o, _, client := start(t)
	stream, err := client.ListAndWatch(context.Background(), &api.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(o.deviceDir, "nvidia1.unhealthy")
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
	o, first, _ := start(t)
	first.server.Stop()
	second := startKubelet(t, o.socketDir)
	if request := second.registered(t); request.Endpoint != socketName {
		t.Fatalf("registered %v", request)
	}
}

func TestAnOrdinaryFileInADevicesPlaceIsRefused(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "nvidia0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err := run(context.Background(), options{count: 1, deviceDir: folder, socketDir: folder})
	if err == nil {
		t.Fatal("took a file for a device")
	}
}
