/*
 * A stand-in for nvidia-smi on the stand-in for its library, so that both play one script: rows of `--query-gpu` and of
 * `--query-compute-apps`, once or with `--loop-ms`. It does nothing of what the real one does before its first word, which is to
 * open the driver and every card.
 */
#include "libnvidia-ml.c"
#include <time.h>

static unsigned long long mebibytes(const struct device *card, const char *key) {
  const struct value *value = find(card, key);
  return value ? value->number >> 20 : 0;
}

static void cell(const struct device *card, const char *field) {
  const struct value *value;
  if (!strcmp(field, "index")) printf("%d", card->card);
  else if (!strcmp(field, "uuid")) printf("%s", card->uuid);
  else if (!strcmp(field, "pci.bus_id")) printf("%s", card->pci);
  else if (!strcmp(field, "name")) printf("%s", card->name);
  else if (!strcmp(field, "memory.total")) printf("%llu", mebibytes(card, "total"));
  else if (!strcmp(field, "memory.used")) printf("%llu", mebibytes(card, "used"));
  else if (!strcmp(field, "memory.free")) printf("%llu", mebibytes(card, "total") - mebibytes(card, "used") - mebibytes(card, "reserved"));
  else if (!strcmp(field, "driver_version")) printf("%s", driver);
  else if (!strcmp(field, "gpu_recovery_action")) printf("None");
  else if (!strcmp(field, "compute_cap") && (value = find(card, "capability"))) printf("%llu.%llu", value->number / 10, value->number % 10);
  else if (!strcmp(field, "temperature.gpu") && (value = find(card, "temperature"))) printf("%llu", value->number);
  else if (!strcmp(field, "power.draw") && (value = find(card, "power"))) printf("%.2f", (double)value->number / 1000);
  else if (!strcmp(field, "utilization.gpu") && (value = find(card, "utilisation"))) printf("%llu", value->number);
  else printf("[N/A]");
}

static void rows(const char *fields) {
  for (int at = 0; at < cards_count; at++) {
    char rest[512], *state = NULL;
    snprintf(rest, sizeof rest, "%s", fields);
    for (char *field = strtok_r(rest, ",", &state), *first = field; field; field = strtok_r(NULL, ",", &state)) {
      if (field != first) printf(", ");
      cell(&cards[at], field);
    }
    printf("\n");
  }
}

static void apps(void) {
  for (int at = 0; at < cards_count; at++)
    for (int one = 0; one < cards[at].processes_count; one++)
      printf("%s, %u, %llu\n", cards[at].uuid, cards[at].processes[one].pid, cards[at].processes[one].bytes >> 20);
}

int main(int argc, char **argv) {
  const char *fields = NULL;
  long ms = 0;
  int of_apps = 0;
  for (int at = 1; at < argc; at++) {
    if (!strncmp(argv[at], "--query-gpu=", 12)) fields = argv[at] + 12;
    if (!strncmp(argv[at], "--query-compute-apps=", 21)) of_apps = 1;
    if (!strncmp(argv[at], "--loop-ms=", 10)) ms = atol(argv[at] + 10);
  }
  do {
    look();
    if (fields) rows(fields);
    if (of_apps) apps();
    fflush(stdout);
    if (ms) nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
  } while (ms);
  return 0;
}
