"""A stand-in for QEMU and the guest in it, steered by a plan; see the README one folder up."""
