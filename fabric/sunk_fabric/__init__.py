"""The fabric validator: collect, parse and check RDMA, SR-IOV and SHARP paths."""
