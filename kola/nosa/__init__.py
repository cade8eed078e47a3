"""kola inside nosa, the assembler of NestOS: its commands there, and their installation."""
