#include "imports.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "../platform/loaded_objects.h"

namespace truefork::fork {

namespace {

template <typename Pointer>
Pointer dynamic_pointer(const dl_phdr_info& object, ElfW(Addr) value) noexcept {
  // glibc relocates the entries of a dynamic section that may be written, musl doesn't.
  return reinterpret_cast<Pointer>(value < object.dlpi_addr ? value + object.dlpi_addr : value);
}

struct table {
  const ElfW(Rela) * relocations;
  size_t size;
};

// What the dynamic section of an object tells of its imports; System V ABI, "Dynamic Linking".
struct import_section {
  const ElfW(Sym) * symbols;
  const char* strings;
  table tables[2];  // for calls, and all else
};

import_section find_section(const dl_phdr_info& object) noexcept {
  import_section found{};
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    if (object.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + object.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      const ElfW(Addr) value = entry->d_un.d_ptr;
      if (entry->d_tag == DT_SYMTAB) found.symbols = dynamic_pointer<const ElfW(Sym)*>(object, value);
      if (entry->d_tag == DT_STRTAB) found.strings = dynamic_pointer<const char*>(object, value);
      if (entry->d_tag == DT_JMPREL) found.tables[0].relocations = dynamic_pointer<const ElfW(Rela)*>(object, value);
      if (entry->d_tag == DT_PLTRELSZ) found.tables[0].size = entry->d_un.d_val;
      if (entry->d_tag == DT_RELA) found.tables[1].relocations = dynamic_pointer<const ElfW(Rela)*>(object, value);
      if (entry->d_tag == DT_RELASZ) found.tables[1].size = entry->d_un.d_val;
    }
  }
  return found;
}

// Whether the loader makes a slot read-only once it has filled it; everything else may be written as it is.
bool is_relro(const dl_phdr_info& object, uint64_t address) noexcept {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const auto& segment = object.dlpi_phdr[i];
    const uint64_t start = object.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_GNU_RELRO && address >= start && address < start + segment.p_memsz) return true;
  }
  return false;
}

int note_slot(const dl_phdr_info& object, const ElfW(Rela) & relocation, import& import) noexcept {
  if (import.count == std::size(import.slots)) return -ENOBUFS;
  const uint64_t address = object.dlpi_addr + relocation.r_offset;
  import.slots[import.count++] = {reinterpret_cast<void**>(address), is_relro(object, address)};
  return 0;
}

// Calls `visit` with each relocation that asks for a symbol, and with the symbol's name. -ENOSYS: there are no imports.
template <typename Visit>
int for_each_import(const dl_phdr_info& object, Visit visit) noexcept {
  const import_section section = find_section(object);
  if (section.symbols == nullptr || section.strings == nullptr) return -ENOSYS;
  for (const table& table : section.tables) {
    for (size_t i = 0; table.relocations != nullptr && i < table.size / sizeof(ElfW(Rela)); ++i) {
      const ElfW(Rela)& relocation = table.relocations[i];
      const auto symbol = ELF64_R_SYM(relocation.r_info);
      if (symbol == 0 || relocation.r_addend != 0) continue;
      visit(relocation, section.strings + section.symbols[symbol].st_name);
    }
  }
  return 0;
}

int find_slots(const dl_phdr_info& object, import* imports, size_t count) noexcept {
  int failure = 0;
  const int missing = for_each_import(object, [&](const ElfW(Rela) & relocation, const char* name) {
    for (size_t wanted = 0; wanted < count && failure == 0; ++wanted) {
      if (strcmp(name, imports[wanted].name) == 0) failure = note_slot(object, relocation, imports[wanted]);
    }
  });
  return missing == 0 ? failure : missing;
}

int replace(const import_slot& slot, void* replacement) noexcept {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  void* const start = reinterpret_cast<void*>(reinterpret_cast<uint64_t>(slot.address) / page * page);
  if (slot.relro && mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return -errno;
  __atomic_store_n(slot.address, replacement, __ATOMIC_RELEASE);
  if (slot.relro) mprotect(start, page, PROT_READ);
  return 0;
}

struct search {
  uint64_t address;  // in the object that holds Node-API, and V8 with it
  import* imports;
  size_t count;
  int failure;
};

int find_in_object(dl_phdr_info* object, size_t /*size*/, void* argument) noexcept {
  auto& wanted = *static_cast<search*>(argument);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    const uint64_t start = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || wanted.address < start || wanted.address >= start + segment.p_memsz) continue;
    wanted.failure = find_slots(*object, wanted.imports, wanted.count);
    return 1;
  }
  return 0;
}

struct question {
  const char* function;
  const platform::loaded_objects& objects;
  bool found;
};

int ask_object(dl_phdr_info* object, size_t /*size*/, void* argument) {
  auto& asked = *static_cast<question*>(argument);
  const uint64_t dynamic_section = [object] {
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      if (object->dlpi_phdr[i].p_type == PT_DYNAMIC) return object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
    }
    return uint64_t{0};
  }();
  const platform::loaded_object* const known = asked.objects.find(dynamic_section);
  if (known == nullptr || known->owner != platform::code_owner::other) return 0;
  for_each_import(*object, [&asked](const ElfW(Rela)&, const char* name) {
    asked.found = asked.found || strcmp(name, asked.function) == 0;
  });
  return asked.found ? 1 : 0;
}

}  // namespace

bool others_import(const char* function) {
  const platform::loaded_objects objects;
  question asked{function, objects, false};
  dl_iterate_phdr(ask_object, &asked);
  return asked.found;
}

int replace_imports(import* imports, size_t count) {
  search wanted{reinterpret_cast<uint64_t>(dlsym(RTLD_DEFAULT, "napi_module_register")), imports, count, -ENOSYS};
  dl_iterate_phdr(find_in_object, &wanted);
  if (wanted.failure != 0) return wanted.failure;
  for (size_t i = 0; i < count; ++i) {
    if (imports[i].count == 0) return -ENOSYS;
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t slot = 0; slot < imports[i].count; ++slot) {
      const int failure = replace(imports[i].slots[slot], imports[i].replacement);
      if (failure != 0) return failure;
    }
  }
  return 0;
}

}  // namespace truefork::fork
