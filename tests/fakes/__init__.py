"""Stand-ins for host programs: they imitate QEMU and qemu-img, and no guest ever runs in them."""
