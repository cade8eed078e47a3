"""Small machines, networks, multipath disks, crashes, logs and time."""
