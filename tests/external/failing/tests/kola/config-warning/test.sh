#!/bin/sh
## kola:
##   description: Its config warns (a mode that looks decimal), and it does not say that it may.
true
