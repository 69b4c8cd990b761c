// The files that this process has code from, and whose each is. Linux alone.
#ifndef TRUEFORK_PLATFORM_LOADED_OBJECTS_H_
#define TRUEFORK_PLATFORM_LOADED_OBJECTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "platform.h"

namespace truefork::platform {

struct loaded_object {
  struct segment {
    uint64_t start;
    uint64_t end;
    bool code;
  };

  std::string path;
  code_owner owner;
  std::vector<segment> segments;

  const segment* find(uint64_t address) const noexcept;
  bool is_code(uint64_t address) const noexcept;
};

class loaded_objects {
 public:
  loaded_objects();
  // Null: the address is in none.
  const loaded_object* find(uint64_t address) const noexcept;
  const std::vector<loaded_object>& all() const noexcept { return objects_; }

 private:
  void set_owner(const char* function, code_owner owner) noexcept;

  std::vector<loaded_object> objects_;
};

}  // namespace truefork::platform

#endif  // TRUEFORK_PLATFORM_LOADED_OBJECTS_H_
