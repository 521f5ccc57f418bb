/* Stands in for NVIDIA's libnvidia-ml.so.1 where there is no card, with the same binary interface.
   FAKE_NVML says what there is: two (cards), mig (one card cut in two), bare (a card that tells next to nothing),
   odd (a card whose name is no UTF-8), lost (a card that is there and then is not), none (no driver). FAKE_NVML_PIDS are the processes that use the cards. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };

typedef struct { int number; int instance; } Device;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; } Process;
typedef struct { unsigned pid; unsigned long long at; unsigned sm, memory, encoder, decoder; } Sample;

static Device cards[2] = {{0, 0}, {1, 0}}, slices[2] = {{0, 1}, {0, 2}};
static int asked;

static int is(const char *what) { const char *set = getenv("FAKE_NVML"); return set && strcmp(set, what) == 0; }
static int slice(Device *device) { return device->instance; }

int nvmlInitWithFlags(unsigned flags) { (void)flags; return is("none") ? DRIVER_NOT_LOADED : OK; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "an error"; }
int nvmlSystemGetDriverVersion(char *into, unsigned length) { snprintf(into, length, is("odd") ? "\xff\xfe" : "555.42"); return OK; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = is("two") ? 2 : 1; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) { *device = &cards[index]; return OK; }
int nvmlDeviceGetName(Device *device, char *into, unsigned length) {
  snprintf(into, length, is("odd") ? "\xfc\xff" : slice(device) ? "Fake 100 MIG 3g.20gb" : "Fake 100");
  return OK;
}
int nvmlDeviceGetUtilizationRates(Device *device, Utilization *into) {
  if (is("bare") || slice(device)) return NOT_SUPPORTED;
  if (is("lost") && ++asked > 3) return GPU_IS_LOST;
  into->gpu = 40 + 20 * device->number;
  into->memory = 10;
  return OK;
}
int nvmlDeviceGetMemoryInfo(Device *device, Memory *into) {
  into->total = slice(device) ? 20ull << 30 : 80ull << 30;
  into->used = (unsigned long long)(1 + device->number) << 30;
  into->free = into->total - into->used;
  return OK;
}
int nvmlDeviceGetPowerUsage(Device *device, unsigned *milliwatts) {
  if (is("bare") || slice(device)) return NOT_SUPPORTED;
  *milliwatts = 150000;
  return OK;
}
int nvmlDeviceGetTotalEnergyConsumption(Device *device, unsigned long long *millijoules) {
  struct timespec now;
  if (is("bare") || slice(device)) return NOT_SUPPORTED;
  clock_gettime(CLOCK_MONOTONIC, &now);
  *millijoules = (unsigned long long)((now.tv_sec + now.tv_nsec * 1e-9) * 150000.0);
  return OK;
}
int nvmlDeviceGetTemperature(Device *device, int sensor, unsigned *celsius) {
  (void)sensor;
  if (is("bare")) return NOT_SUPPORTED;
  *celsius = 50 + device->number;
  return OK;
}
int nvmlDeviceGetMigMode(Device *device, unsigned *now, unsigned *pending) {
  (void)device;
  if (is("bare")) return NOT_SUPPORTED;
  *now = *pending = is("mig");
  return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *count) { (void)device; *count = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned index, Device **into) {
  (void)device;
  if (index > 1) return NOT_FOUND;
  *into = &slices[index];
  return OK;
}

static unsigned users(unsigned *pids, unsigned most) {
  unsigned count = 0;
  char *list = getenv("FAKE_NVML_PIDS"), *copy = strdup(list ? list : ""), *rest = copy, *word;
  while ((word = strsep(&rest, ",")) && count < most)
    if (*word) pids[count++] = atoi(word);
  free(copy);
  return count;
}
int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, Process *into) {
  unsigned pids[64], found = users(pids, 64), size = *count;
  (void)device;
  *count = found;
  if (found == 0) return OK;
  if (!into || size < found) return INSUFFICIENT_SIZE;
  for (unsigned at = 0; at < found; at++) into[at] = (Process){pids[at], 100ull << 20, 0, 0};
  return OK;
}
int nvmlDeviceGetProcessUtilization(Device *device, Sample *into, unsigned *count, unsigned long long since) {
  unsigned pids[64], found = users(pids, 64), size = *count;
  if (is("bare") || slice(device)) return NOT_SUPPORTED;
  *count = 2 * found;
  if (found == 0) return OK; /* pynvml makes an error of this one */
  if (!into || size < 2 * found) return INSUFFICIENT_SIZE;
  for (unsigned at = 0; at < found; at++) {
    into[2 * at] = (Sample){pids[at], since, 10, 5, 0, 0};
    into[2 * at + 1] = (Sample){pids[at], since, 20, 5, 0, 0};
  }
  return OK;
}
