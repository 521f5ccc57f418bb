/* Preloaded into a program, it denies /proc to it: what opens a file there finds none. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* All but one file: TensorFlow for Linux aborts without it. */
static int denied(const char *path) {
  return path && strncmp(path, "/proc", 5) == 0 && strcmp(path, "/proc/self/cmdline") != 0;
}

#define REFUSE(answer) do { errno = ENOENT; return answer; } while (0)
#define MODE va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest)

int open(const char *path, int flags, ...) {
  MODE;
  if (denied(path)) REFUSE(-1);
  return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE;
  if (denied(path)) REFUSE(-1);
  return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64"))(path, flags, mode);
}
int openat(int at, const char *path, int flags, ...) {
  MODE;
  if (denied(path)) REFUSE(-1);
  return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat"))(at, path, flags, mode);
}
FILE *fopen(const char *path, const char *how) {
  if (denied(path)) REFUSE(NULL);
  return ((FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen"))(path, how);
}
FILE *fopen64(const char *path, const char *how) {
  if (denied(path)) REFUSE(NULL);
  return ((FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen64"))(path, how);
}
DIR *opendir(const char *path) {
  if (denied(path)) REFUSE(NULL);
  return ((DIR *(*)(const char *))dlsym(RTLD_NEXT, "opendir"))(path);
}
int stat(const char *path, struct stat *into) {
  if (denied(path)) REFUSE(-1);
  return ((int (*)(const char *, struct stat *))dlsym(RTLD_NEXT, "stat"))(path, into);
}
int lstat(const char *path, struct stat *into) {
  if (denied(path)) REFUSE(-1);
  return ((int (*)(const char *, struct stat *))dlsym(RTLD_NEXT, "lstat"))(path, into);
}
