"""Everything the local cluster needs built or downloaded: programs, packages, images.

Start at `gather`: `ensure_software` runs the whole as a graph of tasks. `cache` keeps results by
content; `gobuild` and `prebuilt` bring Kubernetes; `debian`, `debrepo` and `rootfs` bring root
file systems; `layer`, `oci`, `images` and `wheels` make images; `image_store` imports them once.
"""
