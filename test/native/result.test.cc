#include "posix/result.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include "check.h"

int main() {
  // A call that returns -1 and sets errno.
  EXPECT(truefork::from_errno(::close(-1)) == -EBADF);
  EXPECT(truefork::from_errno(::open("/no/such/file", O_RDONLY)) == -ENOENT);
  // What succeeds passes, though errno is old.
  errno = EIO;
  EXPECT(truefork::from_errno(0) == 0);
  EXPECT(truefork::from_errno(7) == 7);
  EXPECT(truefork::from_errno(ssize_t{1} << 40) == ssize_t{1} << 40);
  // A call that returns the number itself, and leaves errno alone.
  errno = 0;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  EXPECT(truefork::from_code(pthread_mutexattr_settype(&attributes, 12345)) == -EINVAL);
  EXPECT(errno == 0);
  EXPECT(truefork::from_code(0) == 0);
  pthread_mutexattr_destroy(&attributes);
  return test::failures != 0;
}
