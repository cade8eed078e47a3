"""What NestOS promises, held against machines."""
