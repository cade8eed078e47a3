"""What else must hold: small machines, networks, disks with two paths, crashes, logs, time."""
