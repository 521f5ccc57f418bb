/* A system that has no entry for the user, as a container has none for the number that it is started with. */
#include <pwd.h>
#include <stddef.h>

struct passwd *getpwuid(uid_t user) { (void)user; return NULL; }
int getpwuid_r(uid_t user, struct passwd *entry, char *buffer, size_t size, struct passwd **result) {
  (void)user; (void)entry; (void)buffer; (void)size;
  *result = NULL;
  return 0;
}
