"""Live media and the installer: ISO and PXE files, kernel arguments, embedded configs, stages."""
