#include <dlfcn.h>
#include <link.h>

#include "loaded_objects.h"

namespace truefork::platform {

namespace {

int add_object(dl_phdr_info* info, size_t /*size*/, void* argument) {
  loaded_object object{info->dlpi_name, code_owner::other, {}};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const uint64_t start = info->dlpi_addr + header.p_vaddr;
    object.segments.push_back({start, start + header.p_memsz, (header.p_flags & PF_X) != 0});
  }
  static_cast<std::vector<loaded_object>*>(argument)->push_back(std::move(object));
  return 0;
}

}  // namespace

const loaded_object::segment* loaded_object::find(uint64_t address) const noexcept {
  for (const segment& each : segments) {
    if (address >= each.start && address < each.end) return &each;
  }
  return nullptr;
}

bool loaded_object::is_code(uint64_t address) const noexcept {
  const segment* const found = find(address);
  return found != nullptr && found->code;
}

loaded_objects::loaded_objects() {
  dl_iterate_phdr(add_object, &objects_);
  // Before glibc 2.34 threads are of a library of their own.
  for (const char* function : {"getpid", "pthread_create"}) set_owner(function, code_owner::c_library);
  // Node may be one file, or have V8, Node itself and libuv as libraries.
  for (const char* function : {"napi_module_register", "uv_run"}) set_owner(function, code_owner::runtime);
  const auto own = reinterpret_cast<uint64_t>(add_object);
  for (loaded_object& object : objects_) {
    if (object.find(own) != nullptr) object.owner = code_owner::runtime;
  }
}

const loaded_object* loaded_objects::find(uint64_t address) const noexcept {
  for (const loaded_object& object : objects_) {
    if (object.find(address) != nullptr) return &object;
  }
  return nullptr;
}

void loaded_objects::set_owner(const char* function, code_owner owner) noexcept {
  const auto address = reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, function));
  for (loaded_object& object : objects_) {
    if (address != 0 && object.find(address) != nullptr) object.owner = owner;
  }
}

}  // namespace truefork::platform
