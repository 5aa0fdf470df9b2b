/*
 * A stand-in for libnvidia-ml.so.1: the functions that the NVML probe calls, answered from a script, in the layouts of nvml.h.
 *
 * The script is the file that STAND_IN_NVML names, lines of `key card value`; it is read again when it was replaced. A number that
 * the script does not have is not supported. What a caller may not do is written beside it, into `<script>.misuse`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef unsigned int u32;
typedef unsigned long long u64;

enum { ok = 0, uninitialized = 1, invalid = 2, unsupported = 3, not_found = 6, too_small = 7, timed_out = 10, wrong_version = 25 };
enum { most_cards = 16, most_values = 32, most_slices = 8, most_processes = 64, most_faults = 64, most_events = 64 };

struct value { char key[24]; u64 number; };
struct process { char kind; u32 pid; u64 bytes; u32 gi; };
struct device {
  int card, is_slice;
  char uuid[96], name[96], pci[32];
  int values_count, processes_count, slices_count;
  struct value values[most_values];
  struct process processes[most_processes];
  struct device *slices[most_slices];
};
struct fault { char call[64]; int card; char what; int code; };
struct event { int seq, card; u64 type, data; u32 gi; };

static struct device cards[most_cards], slices[most_cards * most_slices];
static struct fault faults[most_faults];
static struct event events[most_events];
static int cards_count, slices_count, faults_count, events_count, last_seen, is_up;
static char driver[80];
static int cuda;
static struct timespec written;
static ino_t inode;

static void misuse(const char *call) {
  char path[4096];
  snprintf(path, sizeof path, "%s.misuse", getenv("STAND_IN_NVML"));
  FILE *file = fopen(path, "a");
  if (file) { fprintf(file, "%s\n", call); fclose(file); }
}

static void take(const char *line) {
  char key[24] = "", rest[256] = "";
  int card = -1;
  if (sscanf(line, "%23s %d %255[^\n]", key, &card, rest) < 2) return;
  if (!strcmp(key, "driver")) { snprintf(driver, sizeof driver, "%s", rest); return; }
  if (!strcmp(key, "cuda")) { cuda = atoi(rest); return; }
  if (!strcmp(key, "fail") || !strcmp(key, "hang") || !strcmp(key, "crash")) {
    struct fault *fault = &faults[faults_count];
    if (faults_count == most_faults || sscanf(rest, "%63s %d", fault->call, &fault->code) < 1) return;
    fault->what = key[0]; fault->card = card; faults_count++;
    return;
  }
  if (!strcmp(key, "event")) {
    struct event *event = &events[events_count];
    if (events_count == most_events || sscanf(rest, "%d %llu %llu %u", &event->seq, &event->type, &event->data, &event->gi) != 4) return;
    event->card = card; events_count++;
    return;
  }
  if (card < 0 || card >= most_cards) return;
  struct device *device = &cards[card];
  if (card >= cards_count) cards_count = card + 1;
  device->card = card;
  if (!strcmp(key, "uuid")) snprintf(device->uuid, sizeof device->uuid, "%s", rest);
  else if (!strcmp(key, "name")) snprintf(device->name, sizeof device->name, "%s", rest);
  else if (!strcmp(key, "pci")) snprintf(device->pci, sizeof device->pci, "%s", rest);
  else if (!strcmp(key, "process")) {
    struct process *process = &device->processes[device->processes_count];
    if (device->processes_count == most_processes) return;
    if (sscanf(rest, "%c %u %llu %u", &process->kind, &process->pid, &process->bytes, &process->gi) == 4) device->processes_count++;
  } else if (!strcmp(key, "slice")) {
    struct device *slice = &slices[slices_count];
    u64 gi, ci, total, used;
    if (device->slices_count == most_slices) return;
    if (sscanf(rest, "%95s %llu %llu %llu %llu %95[^\n]", slice->uuid, &gi, &ci, &total, &used, slice->name) != 6) return;
    slice->card = card; slice->is_slice = 1;
    struct value all[] = { { "gi", gi }, { "ci", ci }, { "total", total }, { "used", used }, { "reserved", 0 } };
    memcpy(slice->values, all, sizeof all);
    slice->values_count = 5;
    device->slices[device->slices_count++] = slice; slices_count++;
  } else if (device->values_count < most_values) {
    struct value *value = &device->values[device->values_count++];
    snprintf(value->key, sizeof value->key, "%s", key);
    value->number = strtoull(rest, NULL, 10);
  }
}

static void look(void) {
  const char *path = getenv("STAND_IN_NVML");
  struct stat info;
  if (!path || stat(path, &info) || (info.st_ino == inode && info.st_mtim.tv_sec == written.tv_sec && info.st_mtim.tv_nsec == written.tv_nsec)) return;
  FILE *file = fopen(path, "r");
  if (!file) return;
  memset(cards, 0, sizeof cards); memset(slices, 0, sizeof slices);
  cards_count = slices_count = faults_count = events_count = 0;
  char line[512];
  while (fgets(line, sizeof line, file)) take(line);
  fclose(file);
  written = info.st_mtim; inode = info.st_ino;
}

/* What the script says this call does before it does anything; -1: goes on. */
static int enter(const char *call, int card) {
  if (!is_up && strcmp(call, "nvmlInit_v2")) return uninitialized;
  for (int at = 0; at < faults_count; at++) {
    struct fault *fault = &faults[at];
    if (strcmp(fault->call, call) || (fault->card >= 0 && fault->card != card)) continue;
    if (fault->what == 'h') for (;;) pause();
    if (fault->what == 'c') abort();
    return fault->code;
  }
  return -1;
}

#define ENTER(card) { int said = enter(__func__, card); if (said >= 0) return said; }
#define EXPECT(condition) if (!(condition)) { misuse(__func__); return invalid; }

static const struct value *find(const struct device *device, const char *key) {
  for (int at = 0; at < device->values_count; at++) if (!strcmp(device->values[at].key, key)) return &device->values[at];
  return NULL;
}

static int number32(const struct device *device, const char *key, u32 *out) {
  const struct value *value = find(device, key);
  if (!value) return unsupported;
  *out = (u32)value->number;
  return ok;
}

static int text(const char *from, char *into, u32 length) {
  if (strlen(from) + 1 > length) return too_small;
  strcpy(into, from);
  return ok;
}

int nvmlInit_v2(void) { look(); ENTER(-1); is_up = 1; return ok; }
int nvmlShutdown(void) { ENTER(-1); is_up = 0; return ok; }
int nvmlSystemGetDriverVersion(char *into, u32 length) { ENTER(-1); EXPECT(into); return text(driver, into, length); }
int nvmlSystemGetCudaDriverVersion_v2(int *into) { ENTER(-1); EXPECT(into); *into = cuda; return ok; }
int nvmlDeviceGetCount_v2(u32 *into) { look(); ENTER(-1); EXPECT(into); *into = (u32)cards_count; return ok; }
int nvmlDeviceGetHandleByIndex_v2(u32 index, struct device **into) {
  ENTER((int)index); EXPECT(into);
  if (index >= (u32)cards_count) return invalid;
  *into = &cards[index];
  return ok;
}
int nvmlDeviceGetUUID(struct device *device, char *into, u32 length) { EXPECT(device && into); ENTER(device->card); return text(device->uuid, into, length); }
int nvmlDeviceGetName(struct device *device, char *into, u32 length) { EXPECT(device && into); ENTER(device->card); return text(device->name, into, length); }

struct pci { char legacy[16]; u32 domain, bus, device, id, subsystem; char bus_id[32]; };
int nvmlDeviceGetPciInfo_v3(struct device *device, struct pci *into) {
  EXPECT(device && into); ENTER(device->card);
  memset(into, 0, sizeof *into);
  snprintf(into->legacy, sizeof into->legacy, "%s", device->pci + 4);
  return text(device->pci, into->bus_id, sizeof into->bus_id);
}

struct memory { u64 total, free, used; };
int nvmlDeviceGetMemoryInfo(struct device *device, struct memory *into) {
  EXPECT(device && into); ENTER(device->card);
  const struct value *total = find(device, "total"), *used = find(device, "used"), *reserved = find(device, "reserved");
  if (!total || !used || !reserved) return unsupported;
  *into = (struct memory){ total->number, total->number - used->number - reserved->number, used->number + reserved->number };
  return ok;
}
#ifndef OLD
struct memory2 { u32 version; u64 total, reserved, free, used; };
int nvmlDeviceGetMemoryInfo_v2(struct device *device, struct memory2 *into) {
  EXPECT(device && into); ENTER(device->card);
  if (into->version != (sizeof *into | 2u << 24)) { misuse(__func__); return wrong_version; }
  const struct value *total = find(device, "total"), *used = find(device, "used"), *reserved = find(device, "reserved");
  if (!total || !used || !reserved) return unsupported;
  *into = (struct memory2){ into->version, total->number, reserved->number, total->number - used->number - reserved->number, used->number };
  return ok;
}
#endif

int nvmlDeviceGetCudaComputeCapability(struct device *device, int *major, int *minor) {
  EXPECT(device && major && minor); ENTER(device->card);
  const struct value *value = find(device, "capability");
  if (!value) return unsupported;
  *major = (int)value->number / 10; *minor = (int)value->number % 10;
  return ok;
}
int nvmlDeviceGetTemperature(struct device *device, int sensor, u32 *into) { EXPECT(device && into && sensor == 0); ENTER(device->card); return number32(device, "temperature", into); }
int nvmlDeviceGetPowerUsage(struct device *device, u32 *into) { EXPECT(device && into); ENTER(device->card); return number32(device, "power", into); }
int nvmlDeviceGetPowerManagementLimit(struct device *device, u32 *into) { EXPECT(device && into); ENTER(device->card); return number32(device, "power_limit", into); }
int nvmlDeviceGetUtilizationRates(struct device *device, u32 *into) { EXPECT(device && into); ENTER(device->card); into[1] = 0; return number32(device, "utilisation", into); }
int nvmlDeviceGetPersistenceMode(struct device *device, u32 *into) { EXPECT(device && into); ENTER(device->card); return number32(device, "persistence", into); }
int nvmlDeviceGetClockInfo(struct device *device, int clock, u32 *into) {
  EXPECT(device && into && (clock == 0 || clock == 2)); ENTER(device->card);
  return number32(device, clock == 0 ? "clock_graphics" : "clock_memory", into);
}
int nvmlDeviceGetEccMode(struct device *device, u32 *current, u32 *pending) { EXPECT(device && current && pending); ENTER(device->card); *pending = 0; return number32(device, "ecc", current); }
int nvmlDeviceGetTotalEccErrors(struct device *device, int type, int counter, u64 *into) {
  EXPECT(device && into && (type == 0 || type == 1) && (counter == 0 || counter == 1)); ENTER(device->card);
  const struct value *value = find(device, type == 0 ? "ecc_corrected" : counter == 0 ? "ecc_uncorrected" : "ecc_uncorrected_ever");
  if (!value) return unsupported;
  *into = value->number;
  return ok;
}
int nvmlDeviceGetRemappedRows(struct device *device, u32 *corrected, u32 *uncorrected, u32 *pending, u32 *failed) {
  EXPECT(device && corrected && uncorrected && pending && failed); ENTER(device->card);
  if (number32(device, "rows_corrected", corrected)) return unsupported;
  if (number32(device, "rows_uncorrected", uncorrected)) *uncorrected = 0;
  if (number32(device, "rows_pending", pending)) *pending = 0;
  if (number32(device, "rows_failed", failed)) *failed = 0;
  return ok;
}
int nvmlDeviceGetRetiredPages(struct device *device, int cause, u32 *count, u64 *addresses) {
  EXPECT(device && count && (cause == 0 || cause == 1)); ENTER(device->card);
  u32 all = 0;
  if (number32(device, cause == 0 ? "pages_single" : "pages_double", &all)) return unsupported;
  int fits = *count >= all;
  *count = all;
  if (!fits) return too_small;
  EXPECT(all == 0 || addresses);
  return ok;
}
int nvmlDeviceGetRetiredPagesPendingStatus(struct device *device, u32 *into) { EXPECT(device && into); ENTER(device->card); return number32(device, "pages_pending", into); }

struct field { u32 id, scope; long long timestamp, latency; int type, code; union { u32 u; u64 ull; } value; };
int nvmlDeviceGetFieldValues(struct device *device, int count, struct field *fields) {
  EXPECT(device && count > 0 && fields); ENTER(device->card);
  for (int at = 0; at < count; at++) {
    fields[at].type = 1;
    fields[at].code = fields[at].id == 230 ? number32(device, "recovery", &fields[at].value.u) : unsupported;
  }
  return ok;
}

int nvmlDeviceGetMigMode(struct device *device, u32 *current, u32 *pending) { EXPECT(device && current && pending); ENTER(device->card); *pending = 0; return number32(device, "mig", current); }
int nvmlDeviceGetMaxMigDeviceCount(struct device *device, u32 *into) { EXPECT(device && into); ENTER(device->card); *into = most_slices; return ok; }
int nvmlDeviceGetMigDeviceHandleByIndex(struct device *device, u32 index, struct device **into) {
  EXPECT(device && into && !device->is_slice); ENTER(device->card);
  if (index >= (u32)device->slices_count) return not_found;
  *into = device->slices[index];
  return ok;
}
int nvmlDeviceGetGpuInstanceId(struct device *device, u32 *into) { EXPECT(device && into && device->is_slice); ENTER(device->card); return number32(device, "gi", into); }
int nvmlDeviceGetComputeInstanceId(struct device *device, u32 *into) { EXPECT(device && into && device->is_slice); ENTER(device->card); return number32(device, "ci", into); }

struct running { u32 pid; u64 bytes; u32 gi, ci; };
static int running(struct device *device, char kind, u32 *count, struct running *into) {
  u32 found = 0, room = *count;
  for (int at = 0; at < device->processes_count; at++) {
    struct process *process = &device->processes[at];
    if (process->kind != kind) continue;
    if (found < room) into[found] = (struct running){ process->pid, process->bytes, process->gi, process->gi };
    found++;
  }
  *count = found;
  return found > room ? too_small : ok;
}
int nvmlDeviceGetComputeRunningProcesses_v3(struct device *device, u32 *count, struct running *into) { EXPECT(device && count && (into || !*count)); ENTER(device->card); return running(device, 'c', count, into); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(struct device *device, u32 *count, struct running *into) { EXPECT(device && count && (into || !*count)); ENTER(device->card); return running(device, 'g', count, into); }

struct told { struct device *device; u64 type, data; u32 gi, ci; };
static int a_set;
int nvmlEventSetCreate(void **into) { ENTER(-1); EXPECT(into); *into = &a_set; return ok; }
int nvmlEventSetFree(void *set) { ENTER(-1); EXPECT(set == &a_set); return ok; }
int nvmlDeviceGetSupportedEventTypes(struct device *device, u64 *into) { EXPECT(device && into); ENTER(device->card); *into = 0x8018; return ok; }
int nvmlDeviceRegisterEvents(struct device *device, u64 types, void *set) { EXPECT(device && types && set == &a_set); ENTER(device->card); return ok; }
int nvmlEventSetWait_v2(void *set, struct told *into, u32 timeout) {
  look(); ENTER(-1);
  EXPECT(set == &a_set && into && timeout == 0);
  for (int at = 0; at < events_count; at++) {
    struct event *event = &events[at];
    if (event->seq <= last_seen) continue;
    last_seen = event->seq;
    *into = (struct told){ &cards[event->card], event->type, event->data, event->gi, event->gi };
    return ok;
  }
  return timed_out;
}
