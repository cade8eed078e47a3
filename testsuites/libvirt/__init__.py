"""NestOS under libvirt, by the tools of libvirt itself."""
