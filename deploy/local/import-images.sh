#!/bin/sh
# Import an archive of images into a containerd store and unpack them, with a containerd that
# nobody else sees. Run in mount and process-id namespaces of its own: /run is replaced.
# usage: import-images.sh RUN_FOLDER CONFIG ARCHIVE SNAPSHOTTER IMAGE...
set -eu
run=$1 config=$2 archive=$3 snapshotter=$4
shift 4
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p "$run"

containerd --config "$config" &
daemon=$!

ctr_() { ctr --address "$run/containerd.sock" --namespace k8s.io "$@"; }

tries=0
until ctr_ version > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$daemon" 2> /dev/null; then
        echo "containerd does not answer" >&2
        exit 1
    fi
    sleep 0.1
done

ctr_ images import --snapshotter "$snapshotter" "$archive"
for image in "$@"; do
    # Fails when the image is not there, or not unpacked.
    ctr_ images check --snapshotter "$snapshotter" "name==$image" | grep -q 'complete.*true' || {
        echo "image $image did not arrive" >&2
        exit 1
    }
done

# A clean end: the databases are closed and on disk before they are copied.
kill "$daemon"
wait "$daemon"
sync
