{
  "targets": [
    {
      "target_name": "truefork",
      "sources": [
        "native/addon.cc",
        "native/napi/constants.cc",
        "native/napi/descriptors.cc",
        "native/napi/errors.cc",
        "native/napi/exec.cc",
        "native/napi/fork.cc",
        "native/napi/ids.cc",
        "native/napi/marshal.cc",
        "native/napi/signals.cc",
        "native/napi/spawn.cc",
        "native/napi/status.cc",
        "native/napi/wait.cc",
        "native/posix/children.cc",
        "native/posix/descriptors.cc",
        "native/posix/exec.cc",
        "native/posix/ids.cc",
        "native/posix/runtime_state.cc",
        "native/posix/signals.cc",
        "native/posix/spawn.cc",
        "native/posix/wait.cc",
        "native/fork/fork_caller.cc",
        "native/fork/pool_barrier.cc",
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "native/platform/linux.cc",
            "native/fork/heap.cc",
            "native/fork/heap_copy.cc",
            "native/fork/heap_hooks.cc",
            "native/fork/imports.cc",
          ],
          "cflags": ["-fno-stack-protector"],
          "ldflags": ["-Wl,-z,now", "-Wl,-z,nodelete"],
        }],
        ["OS=='linux' and target_arch=='x64'", {
          "sources": [
            "native/fork/descriptors.cc",
            "native/fork/event_files.cc",
            "native/fork/pipes.cc",
            "native/fork/shared_pipes.cc",
            "native/fork/socketpairs.cc",
            "native/fork/engine.cc",
            "native/fork/fork.cc",
            "native/fork/fork_all.cc",
            "native/fork/owners.cc",
            "native/fork/probe.cc",
            "native/fork/rings.cc",
            "native/fork/threads.cc",
            "native/fork/threads_x86_64.S",
            "native/fork/touched_pages.cc",
            "native/fork/unrebuilt.cc",
            "native/fork/watch_paths.cc",
          ],
        }],
        ["OS=='linux' and target_arch!='x64'", {
          "sources": ["native/fork/without_threads.cc"],
        }],
        ["OS=='mac'", {
          "sources": [
            "native/platform/darwin.cc",
            "native/fork/without_heap.cc",
            "native/fork/without_threads.cc",
          ],
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
          },
        }],
      ],
    }
  ]
}
