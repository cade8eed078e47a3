"""Tests of the promises of NestOS, on machines."""
