"""The paper, as small steps on top of the library: files in, files out, re-run only when needed."""
