#include "imports.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace truefork::fork {

namespace {

template <typename Pointer>
Pointer dynamic_pointer(const dl_phdr_info& object, ElfW(Addr) value) noexcept {
  // glibc relocates the entries of a dynamic section that may be written, musl doesn't.
  return reinterpret_cast<Pointer>(value < object.dlpi_addr ? value + object.dlpi_addr : value);
}

// Where an object keeps the addresses of the functions that it imports; System V ABI, "Dynamic Linking".
void find_slots(const dl_phdr_info& object, import* imports, size_t count) noexcept {
  const ElfW(Sym)* symbols = nullptr;
  const char* strings = nullptr;
  const ElfW(Rela) * relocations[2] = {};
  size_t sizes[2] = {};
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    if (object.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + object.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      const ElfW(Addr) value = entry->d_un.d_ptr;
      if (entry->d_tag == DT_SYMTAB) symbols = dynamic_pointer<const ElfW(Sym)*>(object, value);
      if (entry->d_tag == DT_STRTAB) strings = dynamic_pointer<const char*>(object, value);
      if (entry->d_tag == DT_JMPREL) relocations[0] = dynamic_pointer<const ElfW(Rela)*>(object, value);
      if (entry->d_tag == DT_PLTRELSZ) sizes[0] = entry->d_un.d_val;
      if (entry->d_tag == DT_RELA) relocations[1] = dynamic_pointer<const ElfW(Rela)*>(object, value);
      if (entry->d_tag == DT_RELASZ) sizes[1] = entry->d_un.d_val;
    }
  }
  if (symbols == nullptr || strings == nullptr) return;
  for (int table = 0; table < 2; ++table) {
    for (size_t i = 0; relocations[table] != nullptr && i < sizes[table] / sizeof(ElfW(Rela)); ++i) {
      const ElfW(Rela)& relocation = relocations[table][i];
      const auto symbol = ELF64_R_SYM(relocation.r_info);
      if (symbol == 0 || relocation.r_addend != 0) continue;
      for (size_t wanted = 0; wanted < count; ++wanted) {
        if (strcmp(strings + symbols[symbol].st_name, imports[wanted].name) != 0) continue;
        imports[wanted].slot = reinterpret_cast<void**>(object.dlpi_addr + relocation.r_offset);
      }
    }
  }
}

// Whether the loader makes a slot read-only once it has filled it; everything else may be written as it is.
bool is_relro(const dl_phdr_info& object, const void* const* slot) noexcept {
  const auto address = reinterpret_cast<uint64_t>(slot);
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const auto& segment = object.dlpi_phdr[i];
    const uint64_t start = object.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_GNU_RELRO && address >= start && address < start + segment.p_memsz) return true;
  }
  return false;
}

int replace(const import& import) noexcept {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  void* const start = reinterpret_cast<void*>(reinterpret_cast<uint64_t>(import.slot) / page * page);
  if (import.relro && mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return -errno;
  __atomic_store_n(import.slot, import.replacement, __ATOMIC_RELEASE);
  if (import.relro) mprotect(start, page, PROT_READ);
  return 0;
}

struct search {
  uint64_t address;  // in the object that holds Node-API, and V8 with it
  import* imports;
  size_t count;
};

int find_in_object(dl_phdr_info* object, size_t /*size*/, void* argument) noexcept {
  const auto& wanted = *static_cast<search*>(argument);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    const uint64_t start = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || wanted.address < start || wanted.address >= start + segment.p_memsz) continue;
    find_slots(*object, wanted.imports, wanted.count);
    for (size_t wanted_import = 0; wanted_import < wanted.count; ++wanted_import) {
      import& import = wanted.imports[wanted_import];
      import.relro = import.slot != nullptr && is_relro(*object, import.slot);
    }
    return 1;
  }
  return 0;
}

}  // namespace

int replace_imports(import* imports, size_t count) {
  search wanted{reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, "napi_module_register")), imports, count};
  dl_iterate_phdr(find_in_object, &wanted);
  for (size_t i = 0; i < count; ++i) {
    if (imports[i].slot == nullptr) return -ENOSYS;
  }
  for (size_t i = 0; i < count; ++i) {
    const int failure = replace(imports[i]);
    if (failure != 0) return failure;
  }
  return 0;
}

}  // namespace truefork::fork
