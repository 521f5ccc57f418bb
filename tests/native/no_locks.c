/* A file system without locks, as some network disks are. */
#include <errno.h>

int flock(int descriptor, int operation) {
  (void)descriptor; (void)operation;
  errno = ENOLCK;
  return -1;
}
