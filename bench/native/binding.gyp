{
  "targets": [
    {
      "target_name": "bare_fork",
      "sources": ["bare_fork.c"],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["-Wall", "-Wextra"],
    }
  ]
}
